//! Characters that a reader does not see, or that change how others are read. They make two addresses look like one, and a
//! name read as something that it is not.

/// Whether `c`, beyond ASCII, is blank, formatting, private or no character at all (Unicode general categories Zs, Zl, Zp,
/// Cf, Co, Cn as far as they are fixed; the controls are refused before).
pub(super) fn is_unseen(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || is_bidi_control(c)
        || matches!(
            c,
            '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
                | '\u{FE00}'..='\u{FE0F}' | '\u{FFF9}'..='\u{FFFD}' | '\u{E000}'..='\u{F8FF}' | '\u{FDD0}'..='\u{FDEF}' | '\u{115F}'
                | '\u{1160}' | '\u{3164}' | '\u{FFA0}' | '\u{E0000}'..='\u{10FFFF}'
        )
        || u32::from(c) & 0xFFFE == 0xFFFE
}

/// Embeddings, overrides and isolates (Unicode UAX #9), and the line and paragraph separators.
pub(super) fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}
