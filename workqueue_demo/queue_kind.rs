// SPDX-License-Identifier: GPL-2.0

//! The kinds of queues that the module may own, and their names. Touches nothing.

use kernel::{
    prelude::*,
    str::BStr, //
};

/// A kind of queue. The module has at most one of each.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum QueueKind {
    Unbound,
    PerCpu,
    HighPri,
    CpuIntensive,
    Freezable,
    Ordered,
}

impl QueueKind {
    pub(crate) const ALL: [Self; 6] = [
        Self::Unbound,
        Self::PerCpu,
        Self::HighPri,
        Self::CpuIntensive,
        Self::Freezable,
        Self::Ordered,
    ];

    /// All words, for people.
    pub(crate) const WORDS: &str = "unbound, percpu, highpri, cpu_intensive, freezable, ordered";

    /// The kind that a user means by this word.
    pub(crate) fn from_word(word: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.word().as_bytes() == word)
    }

    /// How users name it.
    fn word(self) -> &'static str {
        match self {
            Self::Unbound => "unbound",
            Self::PerCpu => "percpu",
            Self::HighPri => "highpri",
            Self::CpuIntensive => "cpu_intensive",
            Self::Freezable => "freezable",
            Self::Ordered => "ordered",
        }
    }

    /// The name of the queue, in the kernel's log, in sysfs and to C.
    pub(crate) fn name(self) -> &'static CStr {
        match self {
            Self::Unbound => c"workqueue_demo",
            Self::PerCpu => c"workqueue_demo_percpu",
            Self::HighPri => c"workqueue_demo_highpri",
            Self::CpuIntensive => c"workqueue_demo_cpu_intensive",
            Self::Freezable => c"workqueue_demo_freezable",
            Self::Ordered => c"workqueue_demo_ordered",
        }
    }

    /// The name, to be printed.
    pub(crate) fn shown_name(self) -> &'static BStr {
        BStr::from_bytes(self.name().to_bytes())
    }
}

#[kunit_tests(workqueue_demo_queue_kind)]
mod tests {
    use super::*;
    use kernel::str::CString;

    #[test]
    fn each_kind_has_a_word_of_its_own_which_the_list_has_too() -> Result {
        let mut rest = QueueKind::WORDS.as_bytes();
        for kind in QueueKind::ALL {
            let word = kind.word().as_bytes();
            assert!(QueueKind::from_word(word) == Some(kind));
            rest = rest.strip_prefix(word).ok_or(EINVAL)?;
            rest = rest.strip_prefix(b", ").unwrap_or(rest);
        }
        assert!(rest.is_empty());
        Ok(())
    }

    #[test]
    fn a_word_is_taken_whole_and_in_its_case() {
        for word in [&b""[..], b"Ordered", b"order", b"ordered ", b"per_cpu"] {
            assert!(QueueKind::from_word(word).is_none());
        }
    }

    // C warns of a name of more than 31 bytes, and cuts it.
    #[test]
    fn each_queue_but_the_first_is_called_after_its_kind() -> Result {
        for kind in QueueKind::ALL {
            let name = kind.name();
            assert!(name.to_bytes().len() < 32);
            let expected = match kind {
                QueueKind::Unbound => CString::try_from_fmt(fmt!("workqueue_demo"))?,
                other => CString::try_from_fmt(fmt!("workqueue_demo_{}", other.word()))?,
            };
            assert_eq!(name.to_bytes(), expected.to_bytes());
        }
        Ok(())
    }
}
