//! Which queues have a suspect waiting: a job whose workers died twice, and which is to run alone.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use tokio::sync::Notify;

/// What the answers to claims said about suspects.
#[derive(Debug)]
pub(crate) struct Suspects {
    /// What the last answer said of each queue.
    waiting: Vec<AtomicBool>,
    /// Notified when an answer says for the first time that a suspect waits.
    pub(crate) changed: Notify,
}

impl Suspects {
    pub(crate) fn new(queues: usize) -> Self {
        Self {
            waiting: (0..queues).map(|_| AtomicBool::new(false)).collect(),
            changed: Notify::new(),
        }
    }

    /// Notes what an answer said: whether a suspect waits in this queue.
    pub(crate) fn note(&self, queue_index: usize, waiting: bool) {
        if !self.waiting[queue_index].swap(waiting, SeqCst) && waiting {
            self.changed.notify_one();
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.load(SeqCst))
    }

    /// Notes that a call that asked for a suspect of any queue found none.
    pub(crate) fn none_left(&self) {
        self.waiting.iter().for_each(|waiting| waiting.store(false, SeqCst));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_says_of_one_queue_holds_until_its_next_one() {
        let suspects = Suspects::new(2);
        suspects.note(1, true);
        suspects.note(0, false);
        assert!(suspects.is_waiting());
        suspects.note(1, false);
        assert!(!suspects.is_waiting(), "another worker has it");
    }
}
