//! Worker processes, and who starts them again when they die.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;

use super::{Stage, signal};

/// What a handler does: write down that it ran, take a moment, say in its result which attempt it
/// was.
pub(crate) const PLAIN: &str = "sleep 0.02";

/// Says how workers are started.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    pub(crate) url: String,
    /// How the names of the workers begin.
    pub(crate) prefix: &'static str,
    pub(crate) lease: &'static str,
    pub(crate) concurrency: usize,
    /// `type=command` each.
    pub(crate) handlers: Vec<String>,
    /// More flags, and more of the environment.
    pub(crate) flags: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
}

impl Orders {
    /// Handlers of type `job` that do some work; through the server's own socket.
    pub(crate) fn plain(stage: &Stage, lease: &'static str) -> Self {
        Self {
            url: stage.server.url.clone(),
            prefix: "w",
            lease,
            concurrency: 4,
            handlers: vec![format!("job={}", booked(stage, PLAIN))],
            flags: Vec::new(),
            environment: Vec::new(),
        }
    }

    pub(crate) fn through_the_proxy(stage: &Stage, lease: &'static str) -> Self {
        Self { url: stage.proxied(), ..Self::plain(stage, lease) }
    }
}

/// A command that writes its start into the books, does `work`, and answers with its attempt.
pub(crate) fn booked(stage: &Stage, work: &str) -> String {
    format!(
        "echo $FAIRCLAIM_JOB_ID $FAIRCLAIM_ATTEMPT >> {}; {work}; printf '{{\"attempt\":%s}}' $FAIRCLAIM_ATTEMPT",
        stage.starts.display()
    )
}

/// Workers by their place; one that dies is followed by another of a new name.
pub(crate) struct Workers {
    orders: Orders,
    members: Vec<Member>,
    logs: std::path::PathBuf,
    pub(crate) deaths: usize,
}

struct Member {
    generation: usize,
    child: Child,
}

impl Workers {
    pub(crate) fn start(stage: &Stage, count: usize, orders: Orders) -> Self {
        let logs = stage.log("x").parent().unwrap().to_owned();
        let mut workers = Self { orders, members: Vec::new(), logs, deaths: 0 };
        for index in 0..count {
            let child = workers.spawn(index, 0);
            workers.members.push(Member { generation: 0, child });
        }
        workers
    }

    fn spawn(&self, index: usize, generation: usize) -> Child {
        let orders = &self.orders;
        let id = format!("{}{index}-{generation}", orders.prefix);
        let log = std::fs::File::create(self.logs.join(format!("{id}.log"))).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_fairclaim"));
        command
            .args(["work", "--worker-id", &id, "--lease", orders.lease, "--poll", "200ms"])
            .args(["--queue", &format!("default:{}", orders.concurrency)])
            .args(orders.handlers.iter().flat_map(|handler| ["--exec", handler]))
            .args(&orders.flags)
            .envs(orders.environment.iter().map(|(name, value)| (name, value)))
            .env("DATABASE_URL", &orders.url)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        command.spawn().unwrap()
    }

    pub(crate) fn pid(&self, index: usize) -> u32 {
        self.members[index].child.id()
    }

    pub(crate) fn signal(&self, index: usize, name: &str) {
        assert!(signal(name, self.pid(index)));
    }

    /// Kills one at random, and starts its successor.
    pub(crate) fn kill_one(&mut self, draws: &mut StdRng) {
        let index = draws.random_range(0..self.members.len());
        self.members[index].child.kill().unwrap();
        self.replace(index);
    }

    /// Starts successors of those that have died.
    pub(crate) fn revive(&mut self) {
        for index in 0..self.members.len() {
            if self.members[index].child.try_wait().unwrap().is_some() {
                self.replace(index);
            }
        }
    }

    fn replace(&mut self, index: usize) {
        let _ = self.members[index].child.wait();
        let generation = self.members[index].generation + 1;
        let child = self.spawn(index, generation);
        self.members[index] = Member { generation, child };
        self.deaths += 1;
    }

    /// Kills all and starts nobody.
    pub(crate) fn kill_all(&mut self) {
        for member in &mut self.members {
            let _ = member.child.kill();
            let _ = member.child.wait();
        }
        self.members.clear();
    }

    /// Tells all to stop, and insists that they end well.
    pub(crate) fn stop(mut self) {
        for member in &self.members {
            signal("TERM", member.child.id());
        }
        for (index, member) in self.members.iter_mut().enumerate() {
            let deadline = Instant::now() + super::PATIENCE;
            let status = loop {
                if let Some(status) = member.child.try_wait().unwrap() {
                    break status;
                }
                assert!(Instant::now() < deadline, "worker {index} does not end");
                std::thread::sleep(Duration::from_millis(20));
            };
            assert!(status.success(), "worker {index} ended with {status}; see its log");
        }
        self.members.clear();
    }

    /// How often the logs of all say something.
    pub(crate) fn said(&self, what: &str) -> usize {
        let logs = std::fs::read_dir(&self.logs).unwrap().filter_map(Result::ok);
        logs.filter(|entry| entry.path().extension().is_some_and(|end| end == "log"))
            .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
            .map(|text| text.matches(what).count())
            .sum()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.kill_all();
    }
}
