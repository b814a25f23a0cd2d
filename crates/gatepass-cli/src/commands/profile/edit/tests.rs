//! Tests of edits: the profile's own lines change, and all other bytes stay.

use super::*;

fn config(text: &str) -> ConfigText {
    ConfigText::new(Zeroizing::new(text.to_owned()))
}

fn without(text: &str, name: &str) -> Result<String, CommandError> {
    config(text).without_profile(name).map(|text| text.to_string())
}

#[test]
fn new_section_follows_all_existing_bytes() {
    for text in ["# mine\r\n[profiles.a]\r\nx = 1 # one\r\n", "[profiles.a]\nx = 1", "\n"] {
        let added = config(text).append_section("[profiles.b]\n");
        assert!(added.starts_with(text) && added.ends_with("\n\n[profiles.b]\n"), "{added:?}");
    }
    assert_eq!(*config("").append_section("[profiles.b]\n"), format!("{HEADER}[profiles.b]\n"));
}

#[test]
fn replacing_a_section_keeps_all_other_bytes() {
    let text = "# first\n[profiles.a]\nx = [\n  \"[no]\", # kept? no\n]\n\
                [profiles.a.secret]\nfile = \"f\"\n# about b\n\n[profiles.\"b.c\"]\ny = 2\n";
    let replaced = config(text).replace_section("a", "NEW\n").unwrap();
    assert_eq!(*replaced, "# first\nNEW\n# about b\n\n[profiles.\"b.c\"]\ny = 2\n");
    let replaced = config(text).replace_section("b.c", "NEW\n").unwrap();
    assert!(replaced.ends_with("# about b\n\nNEW\n"), "{replaced:?}");
}

#[test]
fn profile_without_its_own_section_is_not_replaced() {
    for text in [
        "profiles.a.x = 1\n",
        "profiles = { a = { x = 1 } }\n",
        "[profiles]\na = { x = 1 }\n",
        "[profiles.a]\nx = 1\n[profiles.b]\ny = 2\n[profiles.a.z]\nfile = \"f\"\n",
    ] {
        assert!(config(text).replace_section("a", "").is_err(), "{text}");
    }
}

#[test]
fn removal_takes_own_comments_and_keeps_all_other_bytes() {
    let text = "# mine\r\n\r\n# of a\r\n  # more of a\r\n[profiles.a]\r\n# in a\r\nx = 1 # so\r\n\
                \n# also in a\r\n[profiles.a.s]\r\nfile = 'f'\r\n# the last of a\r\n\r\n\
                # separate\n\n# of b\n[profiles.b]\ny = 2\n# of c\n[profiles.'c.d']\nz = 3";
    let a = "# mine\r\n\r\n# separate\n\n# of b\n[profiles.b]\ny = 2\n# of c\n\
             [profiles.'c.d']\nz = 3";
    assert_eq!(without(text, "a").unwrap(), a);
    let b = "# mine\r\n\r\n# separate\n\n# of c\n[profiles.'c.d']\nz = 3";
    assert_eq!(without(a, "b").unwrap(), b);
    assert_eq!(without(b, "c.d").unwrap(), "# mine\r\n\r\n# separate\n");
}

#[test]
fn removal_undoes_an_addition() {
    for text in ["# mine\n", "[profiles.a]\nx = 1\n", "[profiles.a]\n# a\n\n\n", "# mine\n\n"] {
        let section = "[profiles.b]\n# b\nx = 1\n";
        let added = config(text).with_profile("b", section, false).unwrap();
        assert_ne!(*added, text);
        assert_eq!(without(&added, "b").unwrap(), text);
    }
}

#[test]
fn end_of_multi_line_string_is_not_a_comment() {
    let first = "[profiles.a]\nx = \"\"\"\n# not one\n# nor this\"\"\"\n";
    let text = format!("{first}[profiles.b]\ny = 1\n");
    assert_eq!(without(&text, "b").unwrap(), first);
    let inner = "[profiles.a]\nx = '''\n[profiles.b]\n# b\n'''\n";
    let text = format!("{inner}\n[profiles.b]\ny = 1\n");
    assert_eq!(without(&text, "b").unwrap(), inner);
}

#[test]
fn profile_is_removed_alone_or_not_at_all() {
    let others = "[profiles]\nb = { y = 2 }\n";
    assert_eq!(without("[profiles]\na = { x = 1 }\nb = { y = 2 }\n", "a").unwrap(), others);
    assert_eq!(without("profiles.a.x = 1\nprofiles.a.y = 2\n", "a").unwrap(), "");
    for text in [
        "profiles = { a = { x = 1 }, b = { y = 2 } }\n",
        "[profiles.a]\nx = 1\n[profiles.b]\ny = 2\n[profiles.a.z]\nfile = \"f\"\n",
        "profiles.a.x = 1\nprofiles.b.y = 2\nprofiles.a.y = 2\n",
    ] {
        assert!(without(text, "a").is_err(), "{text}");
    }
}

#[test]
fn toml_string_is_read_back_unchanged() {
    for text in ["a", "", "\"\\\n\t\u{7f}\u{0}\u{85} ä€𝄞'#"] {
        let line = format!("x = {}", *toml_string(text));
        let table: toml::Table = toml::from_str(&line).unwrap();
        assert_eq!(table["x"].as_str(), Some(text), "{line}");
    }
}
