//! Owns the look at the machine's table of neighbours (who has which address on a link), which the kernel bounds for all
//! network namespaces together. Refuses to change that bound: it belongs to the machine's owner.

/// How often the kernel found that table full since the machine started; nothing where it does not tell.
///
/// Packets to a neighbour that found no room are thrown away, silently, between hosts that are well.
pub fn refused() -> Option<u64> {
    added(&std::fs::read_to_string("/proc/self/net/stat/arp_cache").ok()?)
}

/// The sum over processors, each a line of hexadecimal numbers below a line of their names.
fn added(text: &str) -> Option<u64> {
    let mut lines = text.lines();
    let column = lines.next()?.split_whitespace().position(|name| name == "table_fulls")?;
    lines.map(|line| u64::from_str_radix(line.split_whitespace().nth(column)?, 16).ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_added_up() {
        let text = "entries  allocs table_fulls\n00000003 00000002 0000000a\n00000003 00000001 00000010\n";
        assert_eq!(added(text), Some(26));
        assert_eq!(added("entries  allocs\n00000003 00000002\n"), None, "older kernels have no such column");
        assert!(refused().is_some(), "this kernel tells");
    }
}
