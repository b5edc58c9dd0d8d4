//! What a plain word means: text, a number, a truth value, or nothing.

use serde_json::{Number, Value};

/// The value of a word that stands without quotes.
pub(super) fn plain(text: &str) -> Result<Value, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    let lower = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    if text.len() - lower.len() <= 1 && matches!(lower.as_str(), ".inf" | ".nan") {
        return Err(format!("is `{text}`, which no field takes; put it in quotes if it is meant as text"));
    }
    Ok(number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number))
}

fn number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    if let Some(exponent) = exponent {
        is_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)).then_some(())?;
    }
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let well_formed = match (whole, fraction) {
        ("", Some(fraction)) => is_digits(fraction),
        (whole, Some("")) | (whole, None) => is_digits(whole),
        (whole, Some(fraction)) => is_digits(whole) && is_digits(fraction),
    };
    // With a zero in front it is a code or a mode, and what it stands for would be a guess.
    if !well_formed || (whole.len() > 1 && whole.starts_with('0')) {
        return None;
    }
    if fraction.is_none() && exponent.is_none() {
        if let Ok(number) = digits.parse::<u64>()
            && !negative
        {
            return Some(number.into());
        }
        if let Ok(number) = text.parse::<i64>() {
            return Some(number.into());
        }
    }
    let magnitude: f64 = digits.parse().ok()?;
    Number::from_f64(if negative { -magnitude } else { magnitude })
}

fn radix(digits: &str, radix: u32) -> Option<Number> {
    // The parser would take a sign.
    let plain = digits.chars().all(|c| c.is_digit(radix));
    u64::from_str_radix(digits, radix).ok().filter(|_| plain).map(Number::from)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}
