//! What the chores read in Markdown: fenced blocks, links and code spans, with their lines.
//!
//! It is no Markdown parser: it knows the forms that this project writes, which its own tests keep.

/// A fenced block: what stands behind the opening backticks, and the lines between the fences.
pub(crate) struct Fence<'a> {
    pub(crate) info: &'a str,
    /// The lines between the fences with their numbers, without the fence's own indentation.
    pub(crate) lines: Vec<(usize, &'a str)>,
}

/// Every fenced block of `text`, in order. A fence that is never closed ends with the file.
pub(crate) fn fences(text: &str) -> Vec<Fence<'_>> {
    split(text).0
}

/// The one block whose info string is `info`, or what is wrong with that.
pub(crate) fn only_fence<'a>(text: &'a str, info: &str) -> Result<Fence<'a>, String> {
    let mut found = fences(text).into_iter().filter(|fence| fence.info == info);
    match (found.next(), found.next()) {
        (Some(fence), None) => Ok(fence),
        (None, _) => Err(format!("there is no ```{info} block; the check reads its table from it")),
        (Some(_), Some(second)) => {
            let line = second.lines.first().map_or(0, |(line, _)| *line);
            Err(format!("there is a second ```{info} block near line {line}; keep one"))
        }
    }
}

/// The targets of the links in `text`, `[words](target)` and `[name]: target`, outside of code.
pub(crate) fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in split(text).1 {
        let mut prose = line;
        if line.starts_with('[')
            && let Some((_, target)) = line.split_once("]: ")
        {
            found.extend(target.split_whitespace().next().map(|target| (number, target)));
        }
        while let Some(at) = prose.find(['`', ']']) {
            let rest = &prose[at..];
            prose = &rest[1..];
            if let Some(span) = rest.strip_prefix('`') {
                // A code span holds no links.
                prose = span.split_once('`').map_or(span, |(_, after)| after);
            } else if let Some((target, after)) =
                rest.strip_prefix("](").and_then(|target| target.split_once(')'))
            {
                found.extend(target.split_whitespace().next().map(|target| (number, target)));
                prose = after;
            }
        }
    }
    found
}

/// The code spans of `text`, outside of fenced blocks.
pub(crate) fn code_spans(text: &str) -> Vec<(usize, &str)> {
    let prose = split(text).1.into_iter();
    prose
        .flat_map(|(number, line)| line.split('`').skip(1).step_by(2).map(move |span| (number, span)))
        .collect()
}

type Lines<'a> = Vec<(usize, &'a str)>;

/// The fenced blocks, and the lines outside of them.
fn split(text: &str) -> (Vec<Fence<'_>>, Lines<'_>) {
    let mut blocks: Vec<Fence<'_>> = Vec::new();
    let mut prose = Vec::new();
    // The length of the open fence's backticks and of its indentation.
    let mut open: Option<(usize, usize)> = None;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        let ticks = trimmed.len() - trimmed.trim_start_matches('`').len();
        let info = trimmed[ticks..].trim();
        match open {
            Some((length, _)) if ticks >= length && info.is_empty() => open = None,
            Some((_, indent)) => {
                let spaces = (line.len() - trimmed.len()).min(indent);
                if let Some(block) = blocks.last_mut() {
                    block.lines.push((index + 1, &line[spaces..]));
                }
            }
            None if ticks >= 3 => {
                open = Some((ticks, line.len() - trimmed.len()));
                blocks.push(Fence { info, lines: Vec::new() });
            }
            None => prose.push((index + 1, line)),
        }
    }
    (blocks, prose)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
intro [one](a.md) and `[no](code.md)` and [two](<b.md> \"title\")
```console
$ true [no](fence.md)
```
[three]: c.md
* item
  ````text
  ```
    kept indent
  ````
see `x.rs` and `y/z.rs`
";

    #[test]
    fn fences_have_their_info_and_numbered_lines() {
        let found = fences(PAGE);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].info, "console");
        assert_eq!(found[0].lines, [(3, "$ true [no](fence.md)")]);
        assert_eq!(found[1].lines, [(8, "```"), (9, "  kept indent")]);
    }

    #[test]
    fn links_are_those_of_prose() {
        assert_eq!(links(PAGE), [(1, "a.md"), (1, "<b.md>"), (5, "c.md")]);
    }

    #[test]
    fn code_spans_are_those_of_prose() {
        assert_eq!(code_spans(PAGE), [(1, "[no](code.md)"), (11, "x.rs"), (11, "y/z.rs")]);
    }

    #[test]
    fn a_table_is_read_from_exactly_one_block() {
        assert!(only_fence(PAGE, "console").is_ok());
        assert!(only_fence(PAGE, "rows").is_err());
        assert!(only_fence("```rows\na\n```\n```rows\nb\n```\n", "rows").is_err());
    }
}
