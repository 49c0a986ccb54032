-- The settings that an operator may change: one line each, which is all that another column of
-- setting needs. unit: seconds, bytes, number or name; it says how a value is read and
-- written (set_setting, list_settings). The defaults repeat those of the columns, which a test
-- compares.
create or replace function fairclaim_internal.known_settings() returns table (
  place int, name text, unit text, default_value text, minimum numeric, maximum numeric, about text
)
language sql immutable
as $$
  values
    (1, 'retention', 'seconds', '604800', 3600, 3110400000,
      'How long a job is kept after it has ended, with its result and errors.'),
    (2, 'max_payload', 'bytes', '1048576', 1024, 67108864,
      'How long the JSON text of a payload may be.'),
    (3, 'max_own_lanes', 'number', '1000', 1, 100000,
      'How many pairs of type and priority a tenant may have waiting in a queue.'),
    (4, 'max_shared_lanes', 'number', '2000', 1, 100000,
      'How many pairs of type and priority of a queue may have a shared lane.'),
    (5, 'close_delay', 'seconds', '10', 0, 86400,
      'How old an empty lane of a tenant is before it is closed and deleted.'),
    (6, 'tick_every', 'seconds', '0.5', 0, 10,
      'How often maintenance looks at everything, however many workers there are.'),
    (7, 'suspect_wait', 'seconds', '3600', 60, 3110400000,
      'How long a job that was lost twice may wait to be run alone before it fails.'),
    (8, 'default_tenant', 'name', null, null, null,
      'The tenant of a dispatch that names none; without it, that is refused.')
$$;

comment on function fairclaim_internal.known_settings() is
'The settings that can be changed by set_setting, in the order in which they are listed: unit, default, bounds, and what each is.';
