use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn secrets(values: &[&str]) -> Arc<Secrets> {
    Arc::new(Secrets::new(values.iter().copied()))
}

fn masked(values: &[&str], text: &str) -> String {
    secrets(values).mask(text.to_owned())
}

/// Pushes the pieces, and finishes; what each push gave, and the rest.
fn streamed(values: &[&str], pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut masker = Masker::new(secrets(values));
    let mut given: Vec<Vec<u8>> =
        pieces.iter().map(|piece| masker.push(Bytes::copy_from_slice(piece)).to_vec()).collect();
    given.push(masker.finish().to_vec());
    given
}

#[test]
fn values_are_masked_wherever_they_stand() {
    assert_eq!(masked(&["hunter22"], "a hunter22, hunter22hunter22 hunter2"), "a ***, ****** hunter2");
    assert_eq!(masked(&[], "as it is"), "as it is");
    assert_eq!(masked(&["grün"], "das grüne"), "das ***e");
}

#[test]
fn the_longest_value_counts_and_overlapping_ones_are_one() {
    assert_eq!(masked(&["pass", "password1"], "password1 password pass"), "*** ***word ***");
    assert_eq!(masked(&["abcd", "cdef"], "xabcdefy"), "x***y");
    assert_eq!(masked(&["abab"], "abababab!"), "***!");
    assert_eq!(masked(&["abcdefgh", "cdef"], "abcdefg cdef"), "ab***g ***");
}

#[test]
fn lines_of_a_value_are_masked_by_themselves_unless_they_are_short() {
    let key = "-----BEGIN-----\n  c2VjcmV0\r\n}\n";
    assert_eq!(masked(&[key], key), "***\n");
    assert_eq!(masked(&[key], "c2VjcmV0 }\n-----BEGIN-----\n"), "*** }\n***\n");
    assert_eq!(masked(&["trailing\n"], "a trailing b\n"), "a *** b\n");
    assert_eq!(masked(&["ab\n\n", "\n\n\n\n"], "ab\n\nab\n\n\n\n"), "******\n\n");
}

#[test]
fn only_what_may_become_a_secret_is_held_back() {
    let pieces: [&[u8]; 5] = [b"token: hun", b"t", b"ed, hunter", b"22", b"hu"];
    let given = streamed(&["hunter22"], &pieces);
    let given: Vec<_> = given.iter().map(|g| std::str::from_utf8(g).unwrap()).collect();
    assert_eq!(given, ["token: ", "", "hunted, ", "***", "", "hu"]);
}

#[test]
fn lines_that_are_held_back_can_be_released() {
    let mut masker = Masker::new(secrets(&["a\nb\nsecret"]));
    assert_eq!(masker.push(Bytes::from("x\na\nb")), "x\n");
    assert!(masker.holds_lines());
    assert_eq!(masker.release_lines(), "a\n");
    assert!(!masker.holds_lines());
    assert_eq!(masker.push(Bytes::from("\nsecret\n")), "***\n");
    assert_eq!(masker.finish(), "");
}

#[test]
fn values_do_not_show_when_debugged() {
    let masker = Masker::new(secrets(&["hunter22"]));
    assert!(!format!("{masker:?}").contains("hunter"));
}

#[test]
fn a_spec_names_variables_of_its_own_and_of_its_commands() {
    let mut spec = JobSpec::new("alpine", vec![super::super::job::JobCommand::shell("true")]);
    spec.secrets = vec!["TOKEN".into()];
    assert!(Secrets::of(&spec).is_empty());
    spec.sandbox.env.insert("TOKEN".into(), "general".into());
    spec.sandbox.env.insert("OTHER".into(), "public".into());
    spec.commands[0].env.insert("TOKEN".into(), "special".into());
    let secrets = Arc::new(Secrets::of(&spec));
    assert_eq!(secrets.mask("general public special".into()), "*** public ***");
}

#[test]
fn text_that_looks_much_like_a_secret_costs_no_more_than_other_text() {
    // A search that begins anew at every byte would take hours.
    let secret = format!("{}b", "a".repeat(200_000));
    let text = "a".repeat(4 << 20);
    let secrets = secrets(&[&secret]);
    let mut masker = Masker::new(Arc::clone(&secrets));
    let given = masker.push(Bytes::from(text.clone()));
    assert_eq!(given.len(), text.len() - 200_000);
    assert_eq!(masker.finish().len(), 200_000);
}

/// The rule, as simply as it can be said: mark every byte of every occurrence of every pattern.
fn model(patterns: &[String], text: &[u8]) -> Vec<u8> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for pattern in patterns {
        let pattern = pattern.as_bytes();
        let found = text.windows(pattern.len()).enumerate().filter(|(_, window)| *window == pattern);
        spans.extend(found.map(|(at, _)| (at, at + pattern.len())));
    }
    spans.sort_unstable();
    let mut merged: Vec<(usize, usize)> = Vec::new();
    for (start, end) in spans {
        match merged.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    let (mut out, mut at) = (Vec::new(), 0);
    for (start, end) in merged {
        out.extend_from_slice(&text[at..start]);
        out.extend_from_slice(MASK.as_bytes());
        at = end;
    }
    out.extend_from_slice(&text[at..]);
    out
}

fn contains(text: &[u8], value: &[u8]) -> bool {
    text.windows(value.len()).any(|window| window == value)
}

/// Few letters, so that values repeat, overlap and contain each other.
fn value() -> impl Strategy<Value = String> {
    "[ab]{4,7}|[abc]{4,12}|a{4,6}b"
}

/// Text that holds whole values, their beginnings, their ends, and bytes that are no text.
fn text(values: Vec<String>) -> impl Strategy<Value = Vec<u8>> {
    let of_value = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>());
    let piece = prop_oneof![
        3 => of_value.prop_map(move |(which, cut, is_head)| {
            let value = values[which.index(values.len())].as_bytes();
            let cut = cut.index(value.len() + 1);
            if is_head { value[..cut].to_vec() } else { value[cut..].to_vec() }
        }),
        2 => "[abc\n]{0,3}".prop_map(String::into_bytes),
        1 => vec(any::<u8>().prop_filter("a mask would be confused with it", |b| *b != b'*'), 0..3),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn however_a_text_is_cut_it_is_masked_like_the_whole_and_no_value_shows(
        (values, text) in vec(value(), 1..5).prop_flat_map(|values| (Just(values.clone()), text(values))),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let names: Vec<&str> = values.iter().map(String::as_str).collect();
        let mut places: Vec<usize> =
            cuts.iter().map(|c| c.index(text.len() + 1)).chain([0, text.len()]).collect();
        places.sort_unstable();
        let pieces: Vec<&[u8]> = places.windows(2).map(|w| &text[w[0]..w[1]]).collect();
        let given = streamed(&names, &pieces).concat();
        prop_assert_eq!(&given, &model(&values, &text));
        for value in &values {
            prop_assert!(!contains(&given, value.as_bytes()), "{:?} shows", value);
        }
    }

    #[test]
    fn nothing_is_held_back_but_the_proper_beginning_of_a_value(
        (values, text) in vec(value(), 1..5).prop_flat_map(|values| (Just(values.clone()), text(values))),
    ) {
        let mut masker = Masker::new(Arc::new(Secrets::new(values.iter().map(String::as_str))));
        for byte in &text {
            let _ = masker.push(Bytes::copy_from_slice(&[*byte]));
            let held = &masker.held;
            let is_beginning = |v: &String| v.len() > held.len() && v.as_bytes().starts_with(held);
            prop_assert!(held.is_empty() || values.iter().any(is_beginning), "{:?}", held);
        }
    }

    #[test]
    fn no_line_of_a_value_of_several_lines_shows(
        lines in vec("[a-c]{4,6}", 1..4),
        text in "[a-c\n]{0,80}",
        cut in 1usize..9,
    ) {
        let value = lines.join("\n");
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
        let given = streamed(&[&value], &pieces).concat();
        for line in &lines {
            prop_assert!(!contains(&given, line.as_bytes()));
        }
    }
}
