#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;

const CURRENT: Current = Current { uid: 4000, gid: 4001 };

fn database() -> Database {
    let passwd: &[u8] = b"root:x:0:0:root:/root:/bin/bash\n\
        toor:x:0:7:same uid, later line:/toor:/bin/sh\n\
        www-data:x:33:33:www:/var/www:/usr/sbin/nologin\r\n\
        caf\xe9:x:1000:1000::/home/caf\xe9:\n\
        \x20 bare:x:1001:1002\n\
        1234:x:77:77:a name of digits:/home/digits:/bin/sh\n\
        last:x:4294967294:4294967294::/:/bin/sh";
    let group: &[u8] = b"root:x:0:\nadm:x:4:root,www-data\n\
        www-data:x:33:www-data\nweb:x:500: www-data ,\nweb-again:x:500:www-data\ngr\xfcn:x:501:caf\xe9\nplain:x:502\n";
    Database::parse(passwd, group)
}

fn resolved(spec: &[u8]) -> Resolved {
    resolve_from(&UserSpec::parse(OsStr::from_bytes(spec)).unwrap(), &database(), CURRENT).unwrap()
}

fn ids(spec: &[u8]) -> (u32, u32, Vec<u32>) {
    let resolved = resolved(spec);
    (resolved.uid, resolved.gid, resolved.groups)
}

fn parse_error(spec: &str) -> String {
    UserSpec::parse(spec).unwrap_err().to_string()
}

#[test]
fn a_name_brings_its_groups_once_each_primary_first() {
    assert_eq!(ids(b"www-data"), (33, 33, vec![33, 4, 500]));
    assert_eq!(ids(b"www-data:"), ids(b"www-data"));
    assert_eq!(ids(b"caf\xe9"), (1000, 1000, vec![1000, 501]));
}

#[test]
fn a_number_is_an_id_and_brings_the_groups_of_its_account() {
    assert_eq!(ids(b"33"), ids(b"www-data"));
    assert_eq!(ids(b"0033"), ids(b"www-data"));
    assert_eq!(resolved(b"0").name.unwrap(), "root");
    assert_eq!(ids(b"1234"), (1234, CURRENT.gid, vec![CURRENT.gid]));
    assert_eq!(ids(b"1234:77"), (1234, 77, vec![77]));
}

#[test]
fn an_explicit_group_is_the_only_one() {
    for spec in [&b"www-data:33"[..], b"www-data:www-data", b"33:33"] {
        assert_eq!(ids(spec), (33, 33, vec![33]));
    }
    assert_eq!(ids(b"caf\xe9:gr\xfcn"), (1000, 501, vec![501]));
    assert_eq!(ids(b"root:plain"), (0, 502, vec![502]));
    assert_eq!(ids(b"5:12345"), (5, 12345, vec![12345]));
}

#[test]
fn without_a_user_it_is_the_current_one() {
    assert_eq!(ids(b":adm"), (CURRENT.uid, 4, vec![4]));
    assert_eq!(resolved(b":adm").name, None);
    let known = Current { uid: 33, gid: 9 };
    let spec = UserSpec::parse(":adm").unwrap();
    assert_eq!(resolve_from(&spec, &database(), known).unwrap().home.unwrap(), Path::new("/var/www"));
}

#[test]
fn the_account_is_told_as_far_as_it_is_known() {
    let www = resolved(b"www-data:adm");
    assert_eq!(www.home.unwrap(), Path::new("/var/www"));
    assert_eq!(www.name.unwrap(), "www-data");
    assert_eq!(
        www.shell.unwrap(),
        Path::new("/usr/sbin/nologin"),
        "the carriage return is no part of the shell"
    );
    let cafe = resolved(b"caf\xe9");
    assert_eq!(cafe.home.unwrap().as_os_str().as_bytes(), b"/home/caf\xe9");
    assert_eq!(cafe.shell, None);
    let bare = resolved(b"bare");
    assert_eq!((bare.uid, bare.gid, bare.home), (1001, 1002, None));
    let stranger = resolved(b"999");
    assert_eq!((stranger.home, stranger.name, stranger.shell), (None, None, None));
}

#[test]
fn ids_end_one_before_minus_one() {
    assert_eq!(ids(b"4294967294:4294967294"), (MAX_ID, MAX_ID, vec![MAX_ID]));
    assert_eq!(ids(b"1073741825:2147483647"), (1_073_741_825, 2_147_483_647, vec![2_147_483_647]));
    assert_eq!(parse_error("4294967295"), "user id 4294967295 is out of range; the largest is 4294967294");
    assert_eq!(parse_error("x:4294967296"), "group id 4294967296 is out of range; the largest is 4294967294");
    assert!(matches!(UserSpec::parse("9".repeat(400)), Err(UserError::OutOfRange { kind: Kind::User, .. })));
    let zeros = format!("{}7", "0".repeat(400));
    assert_eq!(UserSpec::parse(zeros).unwrap().user, Some(Who::Id(7)));
}

#[test]
fn what_is_no_spec_is_refused() {
    for empty in ["", ":"] {
        assert!(matches!(UserSpec::parse(empty), Err(UserError::EmptySpec)));
    }
    assert_eq!(parse_error("a:b:c"), "\"a:b:c\" has more than one colon; write [user][:group]");
    assert!(matches!(UserSpec::parse("a::"), Err(UserError::TooManyColons { .. })));
    for digits in ["²", "1²", "٣", "１０"] {
        assert!(matches!(UserSpec::parse(digits), Err(UserError::NotAsciiDigits { kind: Kind::User, .. })));
        let group = UserSpec::parse(format!("a:{digits}"));
        assert!(matches!(group, Err(UserError::NotAsciiDigits { kind: Kind::Group, .. })));
    }
    for name in ["-1", "+1", "1a", "0x10", " 1", "m²"] {
        assert_eq!(UserSpec::parse(name).unwrap().user, Some(Who::Name(name.into())));
    }
}

#[test]
fn an_unknown_name_is_told_with_the_file() {
    let error = |spec: &str, database: &Database| {
        resolve_from(&UserSpec::parse(spec).unwrap(), database, CURRENT).unwrap_err().to_string()
    };
    let user = error("nobody-here", &database());
    assert!(user.starts_with("no user \"nobody-here\" in /etc/passwd; "), "{user}");
    let group = error("root:none", &database());
    assert!(group.starts_with("no group \"none\" in /etc/group; "), "{group}");
    let scratch = Database { passwd: None, group: None };
    let user = error("app", &scratch);
    assert!(user.starts_with("no user \"app\" in /etc/passwd, which does not exist; "), "{user}");
    let resolved = resolve_from(&UserSpec::parse("10:20").unwrap(), &scratch, CURRENT).unwrap();
    assert_eq!((resolved.uid, resolved.gid), (10, 20));
}

#[test]
fn malformed_lines_are_skipped() {
    let passwd = "\n#comment:x:1:1:::\n+nis:x:2:2:::\n-nis:x:3:3:::\n:x:4:4:::\nshort:x:5\nword:x:six:6:::\n\
        minus:x:-1:7:::\nhuge:x:4294967295:8:::\nspace:x: 9:9:::\nempty:x::10:::\nnul:x:1\0:11:::\ngood:x:12:13:::\n";
    let group = "#g:x:1:\nshort\nshort:x\nword:x:six:\nempty:x::\ngood:x:13:a,,b\n";
    let database = Database::parse(passwd, group);
    assert_eq!(database.users().map(|user| user.name).collect::<Vec<_>>(), [b"good"]);
    let groups: Vec<_> = database.groups().collect();
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].members().collect::<Vec<_>>(), [b"a", b"b"]);
    assert_eq!(Database::parse("", "").users().count(), 0);
}

#[test]
fn this_host_has_a_root() {
    let database = Database::read().unwrap();
    let root = resolve(&UserSpec::parse("root").unwrap(), &database).unwrap();
    assert_eq!((root.uid, root.gid), (0, 0));
    let current = resolve(&UserSpec::parse(":0").unwrap(), &database).unwrap();
    assert_eq!(current.uid, rustix::process::getuid().as_raw());
}
