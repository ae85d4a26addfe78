// SPDX-License-Identifier: GPL-2.0

//! Module parameters: what they take, keep and show.

use kernel::{
    fmt,
    module_param::ModuleParam,
    prelude::*,
    str::BStr, //
};

use crate::abstractions::module_param::{
    Param,
    Value, //
};

/// A driver's own type.
#[derive(Clone, Copy, PartialEq)]
enum Speed {
    Slow,
    Fast,
}

impl ModuleParam for Speed {
    fn try_from_param_arg(text: &BStr) -> Result<Self> {
        match &**text {
            b"slow" => Ok(Self::Slow),
            b"fast" => Ok(Self::Fast),
            _ => Err(EINVAL),
        }
    }
}

impl Value for Speed {
    fn to_bits(self) -> u64 {
        self as u64
    }

    fn from_bits(bits: u64) -> Self {
        if bits == Self::Slow as u64 {
            Self::Slow
        } else {
            Self::Fast
        }
    }

    fn show(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Slow => "slow",
            Self::Fast => "fast",
        })
    }
}

#[kunit_tests(abstractions_module_param)]
mod tests {
    use super::*;
    use crate::{
        abstractions::module_param::{
            joined,
            prefix, //
        },
        probe::ensure, //
    };

    fn set<T: Value>(param: &Param<T>, text: &[u8]) -> Result {
        param.set(Some(BStr::from_bytes(text)))
    }

    #[test]
    fn the_last_value_wins() -> Result {
        let depth = Param::<u32>::new(16);
        ensure!(depth.get() == 16);
        for (text, value) in [(&b"0"[..], 0), (b"4294967295", u32::MAX), (b"7\n", 7)] {
            set(&depth, text)?;
            ensure!(depth.get() == value);
        }
        Ok(())
    }

    #[test]
    fn every_integer_keeps_its_sign_and_its_bounds() -> Result {
        let (small, large) = (Param::<i8>::new(0), Param::<i64>::new(0));
        set(&small, b"-128")?;
        set(&large, b"-9223372036854775808")?;
        ensure!(small.get() == i8::MIN);
        ensure!(large.get() == i64::MIN);
        ensure!(set(&small, b"128").is_err());
        Ok(())
    }

    #[test]
    fn what_is_refused_changes_nothing() -> Result {
        let depth = Param::<u32>::new(16);
        set(&depth, b"5")?;
        for text in [
            &b""[..],
            b"\n",
            b"many",
            b"-1",
            b"4294967296",
            b"5\n\n",
            b" 6",
        ] {
            ensure!(set(&depth, text).is_err());
            ensure!(depth.get() == 5);
        }
        Ok(())
    }

    #[test]
    fn only_a_type_that_says_so_does_without_a_value() -> Result {
        let (quiet, depth) = (Param::<bool>::new(false), Param::<u32>::new(16));
        quiet.set(None)?;
        ensure!(quiet.get());
        ensure!(depth.set(None) == Err(EINVAL));
        ensure!(depth.get() == 16);
        Ok(())
    }

    #[test]
    fn any_type_that_parses_will_do() -> Result {
        let speed = Param::new(Speed::Slow);
        set(&speed, b"fast\n")?;
        ensure!(speed.get() == Speed::Fast);
        ensure!(set(&speed, b"fastest").is_err());
        set(&speed, b"slow")?;
        ensure!(speed.get() == Speed::Slow);
        Ok(())
    }

    #[test]
    fn names_are_joined_when_they_are_compiled() -> Result {
        const NAME: &[u8] = joined!(prefix(c"driver")[0], prefix(c"driver")[1], "depth");
        // For built-in code the kernel's command line has to name the module too.
        let name = if cfg!(MODULE) {
            &b"depth\0"[..]
        } else {
            &b"driver.depth\0"[..]
        };
        ensure!(NAME == name);
        Ok(())
    }
}
