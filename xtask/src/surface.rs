//! The public surface of the Rust library, as `api/rust.txt` keeps it: every item and method that a user can name, and its
//! signature, by what rustdoc shows of them. A difference there is what a change of the library is discussed by.
//!
//! It is read from the pages that rustdoc writes, since what it can write for programs is for nightly compilers alone. How
//! a signature is spelt is rustdoc's affair: another rustdoc's differences are told, and judged by nobody.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::house::{House, ask};
use crate::step::{Verdict, run};

const KEPT: &str = "api/rust.txt";
/// More lines of a difference are not shown.
const SHOWN: usize = 40;

/// `cargo xtask api`: keeps the surface as it is now.
pub(crate) fn keep(house: &House) -> ExitCode {
    let kept = surface(house).and_then(|text| {
        let path = house.root().join(KEPT);
        fs::write(&path, text).map_err(|error| failed(&path, &error))
    });
    match kept {
        Ok(()) => {
            println!("{KEPT} is as the library is now");
            ExitCode::SUCCESS
        }
        Err(Verdict::Failed(why) | Verdict::Skipped { why, .. }) => {
            eprint!("{why}");
            ExitCode::FAILURE
        }
        Err(Verdict::Passed { .. }) => ExitCode::SUCCESS,
    }
}

/// Whether it is as it is kept.
pub(crate) fn verdict(house: &House) -> Result<Verdict, Verdict> {
    let path = house.root().join(KEPT);
    let kept = fs::read_to_string(&path).map_err(|error| failed(&path, &error))?;
    judge(&kept, &surface(house)?)
}

fn judge(kept: &str, found: &str) -> Result<Verdict, Verdict> {
    let (kept_by, kept_items) = kept.split_once('\n').unwrap_or_default();
    let (found_by, found_items) = found.split_once('\n').unwrap_or_default();
    if kept_items == found_items {
        return Ok(Verdict::passed(format!("{} lines", found_items.lines().count())));
    }
    if kept_by != found_by {
        let by = |line: &str| line.trim_start_matches("# ").to_owned();
        let why =
            format!("spelt by {}, and this is {}, which spells it otherwise", by(kept_by), by(found_by));
        return Err(Verdict::excused(why));
    }
    let differences = differences(kept_items, found_items);
    Err(Verdict::Failed(format!(
        "the surface of the library is not as {KEPT} has it; `cargo xtask api` keeps it as it is now\n{differences}"
    )))
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> Verdict {
    Verdict::Failed(format!("{}: {error}\n", path.display()))
}

/// The surface, with the rustdoc that spells it in the first line.
fn surface(house: &House) -> Result<String, Verdict> {
    run(house.cargo(["doc", "--package", "pinfold", "--all-features", "--no-deps", "--lib"]))?;
    let version = ask(house.command("rustdoc", ["--version"])).unwrap_or_default();
    let version = version.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let pages = house.target().join("doc/pinfold");
    let read = |path: PathBuf| fs::read_to_string(&path).map_err(|error| failed(&path, &error));
    let mut text = format!("# {version}\n");
    // Pages of items that are no more lie beside the others; the list has those that are.
    for link in items(&read(pages.join("all.html"))?) {
        text += &item(&link, &read(pages.join(&link))?);
    }
    Ok(text)
}

/// The links to the pages of items, in their order.
fn items(all: &str) -> Vec<String> {
    let list = all.split("id=\"main-content\"").nth(1).unwrap_or_default();
    let links = list.split("<li><a href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut links: Vec<String> = links.map(str::to_owned).collect();
    links.sort();
    links
}

/// What the page of an item declares: the item, what is implemented for it, and the methods that are its own.
fn item(link: &str, page: &str) -> String {
    let path = link.trim_end_matches(".html");
    let (modules, name) = path.rsplit_once('/').unwrap_or(("", path));
    let name = name.split_once('.').map_or(name, |(_, name)| name);
    let modules = if modules.is_empty() { String::new() } else { modules.replace('/', "::") + "::" };
    let mut text = format!("\npinfold::{modules}{name}\n");
    let declaration = between(page, "<pre class=\"rust item-decl\">", "</pre>").unwrap_or_default();
    let _ = writeln!(text, "  {}", plain(declaration));
    // What is implemented for it by the compiler, or for everything, follows; and of a trait, who implements it.
    let ends = ["id=\"synthetic-implementations\"", "id=\"foreign-impls\"", "id=\"implementors\""];
    let own = ends.iter().filter_map(|end| page.find(end)).min().map_or(page, |end| &page[..end]);
    for section in own.split("<section id=\"").skip(1) {
        let Some(header) = between(section, "class=\"code-header\">", "</h") else { continue };
        let class = between(section, "class=\"", "\"").unwrap_or_default();
        match class {
            // What a derived `PartialEq` brings along is the compiler's own affair.
            "impl" if header.contains("StructuralPartialEq") => {}
            "impl" => drop(writeln!(text, "  {}", plain(header))),
            // Of a trait's methods it is enough that the trait is implemented.
            class if class.ends_with("trait-impl") => {}
            _ => drop(writeln!(text, "    {}", plain(header))),
        }
    }
    // That it may not be sent or shared is told, since no line of the source says so.
    for header in page[own.len()..].split("class=\"code-header\">").skip(1) {
        let header = plain(header.split("</h").next().unwrap_or_default());
        if header.contains("!Send") || header.contains("!Sync") {
            let _ = writeln!(text, "  {header}");
        }
    }
    text
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split(after).next()
}

/// A piece of a page as text in one line.
fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text += before;
        // How many fields are folded away, and the mark of notable traits, are for readers of the page.
        let skipped = match tag {
            _ if tag.starts_with("summary") => "</summary>",
            _ if tag.starts_with("a href=\"#\" class=\"tooltip\"") => "</a>",
            _ => ">",
        };
        rest = tag.split_once(skipped).map_or("", |(_, rest)| rest);
    }
    text += rest;
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    let text = text.replace("&nbsp;", " ").replace('\u{a0}', " ").replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The lines that only one of them has, each with the item that it belongs to.
fn differences(kept: &str, found: &str) -> String {
    let with_items = |text: &str| {
        let mut of = "";
        let mut lines = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if !line.starts_with(' ') {
                of = line;
            }
            lines.push(if line.starts_with(' ') {
                format!("{of}: {}", line.trim())
            } else {
                line.to_owned()
            });
        }
        lines
    };
    let (kept, found) = (with_items(kept), with_items(found));
    let gone = kept.iter().filter(|line| !found.contains(line)).map(|line| format!("- {line}\n"));
    let new = found.iter().filter(|line| !kept.contains(line)).map(|line| format!("+ {line}\n"));
    let all: Vec<String> = gone.chain(new).collect();
    let more = all.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!("and {more} more\n") } else { String::new() };
    all.into_iter().take(SHOWN).collect::<String>() + &rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r##"<pre class="rust item-decl"><code><div class="code-attribute">#[must_use]</div>pub struct
Pair&lt;T&gt; {<details><summary class="hideme"><span>Show 1 field</span></summary>
    pub first: <a class="x" href="y">T</a>, }</code></pre><details>
<section id="impl-Pair" class="impl"><a class="src">Source</a><h3 class="code-header">impl&lt;T&gt; Pair&lt;T&gt;</h3>
<section id="method.new" class="method"><h4 class="code-header">pub fn <a href="#method.new" class="fn">new</a>() -&gt;
 Self<a href="#" class="tooltip" data-notable-ty="x">ⓘ</a></h4>
<section id="impl-Clone-for-Pair" class="impl"><h3 class="code-header">impl Clone for Pair</h3>
<section id="method.clone" class="method trait-impl"><h4 class="code-header">fn clone(&amp;self)</h4>
<h2 id="synthetic-implementations"></h2>
<section id="impl-Send-for-Pair" class="impl"><h3 class="code-header">impl&lt;T&gt; !Send for Pair&lt;T&gt;</h3>
<section id="impl-Sync-for-Pair" class="impl"><h3 class="code-header">impl&lt;T&gt; Sync for Pair&lt;T&gt;</h3>"##;

    #[test]
    fn a_page_says_what_a_user_can_name() {
        let expected = "
pinfold::text::Pair
  #[must_use]pub struct Pair<T> { pub first: T, }
  impl<T> Pair<T>
    pub fn new() -> Self
  impl Clone for Pair
  impl<T> !Send for Pair<T>
";
        assert_eq!(item("text/struct.Pair.html", PAGE), expected);
        let all = r#"<a href="x.html"></a><section id="main-content"><li><a href="text/struct.Pair.html">Pair</a></li>
<li><a href="fn.a.html">a</a></li>"#;
        assert_eq!(items(all), ["fn.a.html", "text/struct.Pair.html"]);
    }

    #[test]
    fn a_difference_fails_unless_another_rustdoc_spells_it() {
        let kept = "# rustdoc 1.0\n\npinfold::A\n  pub fn a()\n";
        assert_eq!(judge(kept, kept), Ok(Verdict::passed("3 lines")));
        let Err(Verdict::Failed(why)) = judge(kept, &kept.replace("fn a()", "fn b()")) else {
            panic!("it differs")
        };
        assert!(why.ends_with("- pinfold::A: pub fn a()\n+ pinfold::A: pub fn b()\n"), "{why}");
        let other = kept.replace("1.0", "1.1").replace("fn a()", "fn  a()");
        let told = judge(kept, &other);
        assert_eq!(judge(kept, &kept.replace("1.0", "1.1")), Ok(Verdict::passed("3 lines")));
        assert_eq!(
            told,
            Err(Verdict::excused("spelt by rustdoc 1.0, and this is rustdoc 1.1, which spells it otherwise"))
        );
    }
}
