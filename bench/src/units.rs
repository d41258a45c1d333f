//! Numbers as people read them.

use std::time::Duration;

/// A count as a number to divide by; exact up to 2^53, which no count here reaches.
pub(crate) fn float(count: u64) -> f64 {
    let (high, low) = (count >> 32, count & 0xffff_ffff);
    let half = |part: u64| f64::from(u32::try_from(part).unwrap_or(u32::MAX));
    half(high) * 4_294_967_296.0 + half(low)
}

/// How many a second.
pub(crate) fn per_second(count: u64, took: Duration) -> f64 {
    float(count) / took.as_secs_f64().max(1e-9)
}

/// The middle one; of an even number, the upper of the two in the middle.
pub(crate) fn median<T: PartialOrd + Copy>(values: &mut [T]) -> Option<T> {
    values.sort_by(|one, other| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len() / 2).copied()
}

/// A number with three digits that count, and commas between thousands.
pub(crate) fn short(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 1_000.0 {
        return format!("{value:.0}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Milliseconds.
pub(crate) fn millis(took: Duration) -> String {
    format!("{:.2} ms", took.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_become_numbers() {
        for (count, want) in [(0, 0.0), (7, 7.0), (4_294_967_296, 4_294_967_296.0), (10_000_000_000, 1e10)] {
            assert!((float(count) - want).abs() < 0.5, "{count}");
        }
    }

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.123, "0.12"),
            (9.87, "9.87"),
            (43.2, "43"),
            (999.0, "999"),
            (1_234.5, "1,234"),
            (1e6, "1,000,000"),
        ];
        for (value, want) in cases {
            assert_eq!(short(value), want);
        }
    }

    #[test]
    fn the_median_stands_in_the_middle() {
        assert_eq!(median(&mut [3, 1, 2]), Some(2));
        assert_eq!(median(&mut [4, 1, 3, 2]), Some(3));
        assert_eq!(median::<u64>(&mut []), None);
    }
}
