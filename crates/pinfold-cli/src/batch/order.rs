//! Pages in the order of their jobs.

use super::page::Page;
use std::collections::BTreeMap;

/// Holds those whose turn has not come.
#[derive(Debug, Default)]
pub(crate) struct Order {
    next: usize,
    held: BTreeMap<usize, Option<Page>>,
    bytes: usize,
    files: usize,
}

impl Order {
    /// More than this is not held in memory for jobs that are slower: no more are started.
    const MOST: usize = 64 << 20;
    /// Nor more files open for them.
    const MOST_FILES: usize = 100;

    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= Order::MOST || self.files >= Order::MOST_FILES
    }

    /// Takes the page of a job, the first being 0, or that it has none; gives those whose turn has come.
    pub(crate) fn put(&mut self, index: usize, page: Option<Page>) -> Vec<Page> {
        self.bytes += page.as_ref().map_or(0, Page::held);
        self.files += page.as_ref().map_or(0, Page::files);
        self.held.insert(index, page);
        let mut turn = Vec::new();
        while let Some(page) = self.held.remove(&self.next) {
            self.next += 1;
            self.bytes -= page.as_ref().map_or(0, Page::held);
            self.files -= page.as_ref().map_or(0, Page::files);
            turn.extend(page);
        }
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_come_in_their_order_and_no_more_are_held_than_may_be() {
        let mut order = Order::default();
        let mut put = |index, text: Option<&str>| {
            let pages = order.put(index, text.map(|text| Page::new(text.into(), Vec::new(), None)));
            pages.iter().map(Page::held).collect::<Vec<_>>()
        };
        assert_eq!(
            [put(2, Some("ccc")), put(1, None), put(0, Some("a")), put(3, Some("dddd"))],
            [vec![], vec![], vec![1, 3], vec![4]]
        );
        assert_eq!(order.bytes, 0);
        order.put(5, Some(Page::new(vec![0; Order::MOST], Vec::new(), None)));
        assert!(order.is_full());
        order.put(4, None);
        assert!(!order.is_full());
        for index in 7..7 + Order::MOST_FILES {
            assert!(!order.is_full(), "with {} files", order.files);
            order.put(index, Some(Page::filed(b"x")));
        }
        assert!(order.is_full());
        assert_eq!(order.put(6, None).len(), Order::MOST_FILES);
        assert!(!order.is_full());
    }
}
