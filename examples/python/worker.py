"""A whole worker of fairclaim in Python: psycopg 3, and one call of SQL that settles, claims and
says what to do next.

    pip install -r examples/python/requirements.txt
    DATABASE_URL=postgres://me@localhost/app python examples/python/worker.py
"""

import base64
import json
import os
import signal
import socket
import time
import uuid

import psycopg
from psycopg.rows import dict_row

WORKER = f"{socket.gethostname()}:{os.getpid()}"  # best unique to the process
QUEUES = ["default"]
BATCH = 10  # jobs that one claim takes; they run one after the other
LEASE = 60.0  # seconds that a claim is good for: a handler must take less than two thirds of it
POLL = 30.0  # the longest sleep; a notification ends it earlier


def welcome_mail(payload):
    print(f"welcome, user {payload['user']}", flush=True)
    return {"sent": True}


def read_attachment(payload):
    return base64.b64decode(payload["base64"]).decode()


HANDLERS = {"welcome_mail": welcome_mail, "read_attachment": read_attachment}

CALL = """
select * from fairclaim.settle_and_claim(
  p_worker_id => %(worker)s, p_ids => %(ids)s::uuid[], p_attempts => %(attempts)s::int[],
  p_lease_tokens => %(tokens)s::uuid[], p_outcomes => %(outcomes)s::text[],
  p_results => %(results)s::text[], p_errors => %(errors)s::text[], p_delays => null,
  p_queues => %(queues)s::text[], p_limit => %(limit)s::int, p_types => %(types)s::text[],
  p_lease => %(lease)s, p_cursor => %(cursor)s, p_lease_token => %(token)s::uuid,
  p_idle_for => %(idle)s, p_alone => %(alone)s)
"""
RELEASE_CLAIMS = "select from fairclaim.release_claims(%s, %s::uuid[])"
STOP = []  # has something in it when the worker should end


def run(job):
    """Runs one attempt. Answers its outcome, and its result and error as texts of JSON."""
    try:
        return "complete", json.dumps(HANDLERS[job["type"]](job["payload"])), None
    except Exception as error:  # the server says when to try again, if an attempt is left
        return (
            "retry",
            None,
            json.dumps({"code": type(error).__name__, "message": str(error)[:1000]}),
        )


def work(db, ended, owed):
    """The loop. `ended` are attempts to settle, `owed` claims without an answer: both outlive a lost
    connection."""
    db.execute("listen fairclaim")
    cursor, alone = None, False
    while not STOP or ended:
        if owed:
            # such a claim may have happened: give back what it took, until its lease must be over
            db.execute(RELEASE_CLAIMS, [WORKER, list(owed)])
            for token in [token for token, until in owed.items() if until < time.monotonic()]:
                del owed[token]
        token = uuid.uuid4()
        owed[token] = time.monotonic() + LEASE + 6
        *rows, todo = db.execute(CALL, arguments(ended, token, cursor, alone)).fetchall()
        del owed[token]
        ended.clear()
        cursor = todo["next_cursor"]  # our place in the round of the tenants
        # a job that has killed two workers runs by itself, and every other claim is for the rest
        alone = todo["suspect_waiting"] and not alone
        give_back_at = time.monotonic() + todo["extend_in"]  # so no lease runs out
        for job in (row for row in rows if row["kind"] == "claimed"):
            in_time = not STOP and time.monotonic() < give_back_at
            done = run(job) if in_time else ("release", None, None)
            ended.append((job["id"], job["attempts"], job["lease_token"], *done))
        pause = min(POLL, todo["next_claim_in"], maintain(db, todo))
        wake_at = time.monotonic() + (0 if ended or alone else pause)
        while not STOP and time.monotonic() < wake_at:
            if list(db.notifies(timeout=min(pause, 1), stop_after=1)):
                break  # something waits, or is due


def arguments(ended, token, cursor, alone):
    columns = [list(column) for column in zip(*ended)] or [[]] * 6
    names = ["ids", "attempts", "tokens", "outcomes", "results", "errors"]
    claim = dict(queues=QUEUES, types=list(HANDLERS), limit=0 if STOP else BATCH, lease=LEASE)
    place = dict(worker=WORKER, cursor=cursor, token=token, idle=POLL, alone=alone)
    return dict(zip(names, columns), **claim, **place)


def maintain(db, todo):
    """Does the maintenance that falls to this worker. Answers in how many seconds it is due again."""
    ask = lambda sql: db.execute(sql).fetchone()
    due = todo
    if todo["tick_in"] == 0:
        due = ask("select next_tick_in as tick_in, prune_due from fairclaim.tick()")
    if due["prune_due"]:
        while ask("select ranges_dropped from fairclaim.drop_ranges()")["ranges_dropped"]:
            pass
        while ask("select more from fairclaim.prune()")["more"]:
            pass
    return due["tick_in"]


def main():
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: STOP.append(True))
    ended, owed = [], {}
    while not STOP or ended:
        try:
            url = os.environ["DATABASE_URL"]
            with psycopg.connect(url, autocommit=True, row_factory=dict_row) as db:
                work(db, ended, owed)
        except psycopg.OperationalError as error:  # what has ended is settled after it
            print(f"the database is away: {error}", flush=True)
            time.sleep(1)


if __name__ == "__main__":
    main()
