// SPDX-License-Identifier: GPL-2.0

//! What a message looks like in the log.

use kernel::prelude::*;

use crate::abstractions::escaped::Escaped;

/// How many bytes of escaped text go into one record. A record holds 1,024 bytes: the text, the
/// module's name, the marks, the length and the line end, which are well below 64.
const RECORD_LEN: usize = 960;

/// Prints one message: `"text" (len=4)`.
///
/// What does not fit one record goes on in further ones. A record that is continued ends in
/// `" +`, one that continues another begins with `+ "`; a quote in the text is always escaped, so
/// no text looks like either.
pub(crate) fn print(text: &[u8]) {
    let (mut part, mut rest) = Escaped(text).split(RECORD_LEN);
    let mut mark = "";
    while !rest.is_empty() {
        pr_info!("{mark}\"{part}\" +\n");
        mark = "+ ";
        (part, rest) = rest.split(RECORD_LEN);
    }
    pr_info!("{mark}\"{part}\" (len={})\n", text.len());
}
