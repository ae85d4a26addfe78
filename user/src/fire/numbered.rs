// SPDX-License-Identifier: GPL-2.0

//! Messages that carry their writer and their number.

/// Message `number` of a writer. Only a whole one looks like this.
pub fn numbered(writer: usize, number: usize) -> String {
    let filler = (b'a' + (writer % 26) as u8) as char;
    format!("<{writer} {number} {}>", filler.to_string().repeat(40 + number % 150))
}

/// The writer and the number of a message of [`numbered`], if it is whole.
pub fn numbers_of(text: &[u8]) -> Option<(usize, usize)> {
    let mut words = std::str::from_utf8(text).ok()?.strip_prefix('<')?.split(' ');
    let (writer, number) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    (numbered(writer, number).as_bytes() == text).then_some((writer, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_whole_message() {
        let text = numbered(7, 120);
        assert_eq!(numbers_of(text.as_bytes()), Some((7, 120)));
        assert!(text.len() <= crate::model::MESSAGE_MAX);
        assert!((0..300).all(|number| numbered(99, number).len() < 255));
        for bad in [&text[1..], &text[..text.len() - 1], &text.replacen('h', "", 1), "", "< >"] {
            assert_eq!(numbers_of(bad.as_bytes()), None, "{bad}");
        }
    }
}
