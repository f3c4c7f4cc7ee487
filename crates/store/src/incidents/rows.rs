//! Statements about many rows at once: their placeholders.

/// Values that one statement binds at most: below the limit of both databases.
const MOST_VALUES: usize = 12_000;

/// `($1, $2), ($3, $4)` …: `rows` rows of `width` values each, the first numbered `from`.
pub(super) fn places(from: usize, rows: usize, width: usize) -> String {
    let row = |n: usize| {
        let values: Vec<String> = (0..width).map(|value| format!("${}", from + n * width + value)).collect();
        format!("({})", values.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// `$1, $2` …: `count` values, the first numbered `from`.
pub(super) fn list(from: usize, count: usize) -> String {
    (0..count).map(|n| format!("${}", from + n)).collect::<Vec<_>>().join(", ")
}

/// How many rows of `width` values go into one statement.
pub(super) const fn chunk(width: usize) -> usize {
    MOST_VALUES / width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_through() {
        assert_eq!(places(1, 2, 2), "($1, $2), ($3, $4)");
        assert_eq!(places(3, 1, 3), "($3, $4, $5)");
        assert_eq!(list(2, 3), "$2, $3, $4");
        assert!(chunk(20) * 20 <= MOST_VALUES);
    }
}
