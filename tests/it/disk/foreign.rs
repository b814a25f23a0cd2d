//! Tests with a foreign file in place of a record: the token comes from the vendor, and the foreign
//! file is not changed.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use gatepass_tests::{Home, vendor};

use super::token_record;

type Replace = fn(&Path, &Home);

/// Checks that two commands send a token request, warn, and do not change the foreign file.
fn assert_foreign_file_kept(name: &str, replace: Replace) {
    let (server, home) = vendor("cisco").counting("");
    home.gatepass(["token", "cisco"]).run().ok();
    let record = token_record(&home);
    let whole = fs::read(&record).unwrap();
    fs::rename(&record, home.path("work/record")).unwrap();
    replace(&record, &home);
    let before = fs::symlink_metadata(&record).unwrap();
    for n in 2..=3 {
        let started = Instant::now();
        let run = home.gatepass(["token", "cisco"]).run();
        assert_eq!(run.ok(), format!("token-{n}\n"), "{name}");
        let warning = "gatepass: warning: a stored record is not used: ";
        let is_reported = run.stderr.starts_with(warning) && run.stderr.lines().count() == 1;
        assert!(is_reported, "{name}: {run:#?}");
        assert!(started.elapsed() < Duration::from_secs(20), "{name}: {:?}", started.elapsed());
        home.gatepass(["forget", "cisco"]).run().ok();
        let after = fs::symlink_metadata(&record).unwrap();
        assert_eq!(
            (before.ino(), before.mode(), before.uid(), before.len()),
            (after.ino(), after.mode(), after.uid(), after.len()),
            "{name}"
        );
    }
    assert_eq!(fs::read(home.path("work/record")).unwrap(), whole, "{name}");
    assert_eq!(server.requests().len(), 3, "{name}");
}

#[test]
fn foreign_file_in_place_of_a_record_is_kept() {
    let all: [(&str, Replace); 5] = [
        ("a pipe", |path, _| {
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
            assert!(fs::metadata(path).unwrap().file_type().is_fifo());
        }),
        ("a folder", |path, _| fs::create_dir(path).unwrap()),
        ("a link to the record", |path, home| symlink(home.path("work/record"), path).unwrap()),
        ("a link that leads nowhere", |path, home| symlink(home.path("nowhere"), path).unwrap()),
        ("a device", |path, _| {
            // Only root can create one.
            let made = Command::new("mknod").arg(path).args(["c", "1", "5"]).output().unwrap();
            if !made.status.success() {
                fs::create_dir(path).unwrap();
            }
        }),
    ];
    for (name, replace) in all {
        assert_foreign_file_kept(name, replace);
    }
    if rustix::process::getuid().is_root() {
        assert_foreign_file_kept("another user's", |path, home| {
            fs::copy(home.path("work/record"), path).unwrap();
            chown(path, Some(65_533), None).unwrap();
        });
    }
}

#[test]
fn unusable_record_is_a_miss_and_replaced() {
    let all: [(&str, Replace); 6] = [
        ("empty", |path, _| fs::write(path, "").unwrap()),
        ("of other bytes", |path, _| fs::write(path, [7; 300]).unwrap()),
        ("cut", |path, _| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("of another version", |path, _| {
            let mut bytes = fs::read(path).unwrap();
            bytes[8] += 1;
            fs::write(path, bytes).unwrap();
        }),
        ("of a gigabyte", |path, _| {
            fs::File::options().write(true).open(path).unwrap().set_len(1 << 30).unwrap();
        }),
        ("open to others", |path, _| {
            fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
        }),
    ];
    for (name, damage) in all {
        let (server, home) = vendor("cisco").counting("");
        home.gatepass(["token", "cisco"]).run().ok();
        let record = token_record(&home);
        damage(&record, &home);
        let run = home.gatepass(["token", "cisco"]).run();
        assert_eq!(run.ok(), "token-2\n", "{name}");
        // After an update, the records of another version are expected.
        let warns = name != "of another version";
        let has_warned = run.stderr.contains("a stored record is not used");
        assert_eq!(has_warned, warns, "{name}: {run:#?}");
        let meta = fs::metadata(&record).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.len() < 64 * 1024), (0o600, true), "{name}");
        assert_eq!(home.gatepass(["token", "cisco"]).run().ok(), "token-2\n", "{name}");
        assert_eq!(server.requests().len(), 2, "{name}");
    }
}
