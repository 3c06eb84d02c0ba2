//! The names of sets of characters that `\p{}` knows both in Go and in the regex crate, and that mean the same in both.
//!
//! Go reads a name without regard to case and underscores, and knows long names of categories: that is left to OPA. Its list of
//! scripts has underscores all the same, so that it finds none whose name has one, nor one with a capital in the middle.

/// General categories, sorted. Not among them are those of what is no character (`C`, `Cn`,
/// `Cs`), `LC`, and `Mc` and `Mn`, between which a later Unicode moved a character.
#[rustfmt::skip]
const CATEGORIES: &[&str] = &[
    "Cc", "Cf", "Co", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Me", "N", "Nd", "Nl",
    "No", "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl",
    "Zp", "Zs",
];

/// Scripts, sorted.
#[rustfmt::skip]
const SCRIPTS: &[&str] = &[
    "Adlam", "Ahom", "Arabic", "Armenian", "Avestan", "Balinese", "Bamum", "Batak", "Bengali",
    "Bhaiksuki", "Bopomofo", "Brahmi", "Braille", "Buginese", "Buhid", "Carian", "Chakma", "Cham",
    "Cherokee", "Chorasmian", "Common", "Coptic", "Cuneiform", "Cypriot", "Cyrillic", "Deseret",
    "Devanagari", "Dogra", "Duployan", "Elbasan", "Elymaic", "Ethiopic", "Georgian", "Glagolitic",
    "Gothic", "Grantha", "Greek", "Gujarati", "Gurmukhi", "Han", "Hangul", "Hanunoo", "Hatran",
    "Hebrew", "Hiragana", "Inherited", "Javanese", "Kaithi", "Kannada", "Katakana", "Kawi",
    "Kharoshthi", "Khmer", "Khojki", "Khudawadi", "Lao", "Latin", "Lepcha", "Limbu", "Lisu",
    "Lycian", "Lydian", "Mahajani", "Makasar", "Malayalam", "Mandaic", "Manichaean", "Marchen",
    "Medefaidrin", "Miao", "Modi", "Mongolian", "Mro", "Multani", "Myanmar", "Nabataean",
    "Nandinagari", "Newa", "Nko", "Nushu", "Ogham", "Oriya", "Osage", "Osmanya", "Palmyrene",
    "Phoenician", "Rejang", "Runic", "Samaritan", "Saurashtra", "Sharada", "Shavian", "Siddham",
    "Sinhala", "Sogdian", "Soyombo", "Sundanese", "Syriac", "Tagalog", "Tagbanwa", "Takri", "Tamil",
    "Tangsa", "Tangut", "Telugu", "Thaana", "Thai", "Tibetan", "Tifinagh", "Tirhuta", "Toto",
    "Ugaritic", "Vai", "Vithkuqi", "Wancho", "Yezidi", "Yi",
];

pub(super) fn is_known(name: &str) -> bool {
    name == "Any" || CATEGORIES.binary_search(&name).is_ok() || SCRIPTS.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_one_that_go_reads_otherwise_than_it_lists_it() {
        for name in CATEGORIES.iter().chain(SCRIPTS) {
            assert!(name.bytes().skip(1).all(|byte| byte.is_ascii_lowercase()), "{name}");
        }
        for name in ["Linear_B", "LinearB", "SignWriting", "Old_Italic"] {
            assert!(!is_known(name), "{name}");
        }
    }

    #[test]
    fn the_lists_are_sorted_and_the_regex_crate_knows_all_names() {
        assert!(CATEGORIES.is_sorted() && SCRIPTS.is_sorted());
        for name in CATEGORIES.iter().chain(SCRIPTS) {
            assert!(is_known(name) && regex::Regex::new(&format!(r"\p{{{name}}}")).is_ok(), "{name}");
        }
    }
}
