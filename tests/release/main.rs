//! Tests of a complete release: interrupted, resumed, published to a local registry, and used.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a failed assumption fails the test, and a release runs in a real environment"
)]

/// The downloads.
mod files;
/// A project that uses the crates from the registry.
mod project;
/// A registry that cargo can publish to.
mod registry;
/// The repository that is released.
mod repository;
/// The release, as far as each test needs it.
mod story;

use story::Story;

#[test]
fn ctrl_c_while_building_changes_nothing() {
    let story = Story::shown();
    assert_eq!(story.interrupted_build.changed, "");
    assert_eq!(story.interrupted_build.head, story.begun.head);
    assert_eq!(story.interrupted_build.tags, story.begun.tags);
    assert_eq!(story.interrupted_build.files, [""; 0]);
}

#[test]
fn dry_run_writes_to_target_only() {
    let story = Story::shown();
    assert_eq!(story.dry.changed, "");
    assert_eq!((&story.dry.head, &story.dry.tags), (&story.begun.head, &story.begun.tags));
    assert!(story.dry.published.is_empty(), "{:?}", story.dry.published);
    for shown in [
        format!("git tag --annotate v{}", story.version),
        format!("the commit `release: {}` on main", story.version),
        String::from("--package gatepass-cli --registry local"),
        format!("gatepass-{}-{}.tar.gz", story.version, story.target),
    ] {
        assert!(story.dry_told.contains(&shown), "{shown} is not in {}", story.dry_told);
    }
    // Dependencies come before their dependents.
    let at = |name: &str| story.dry_told.find(&format!("--package {name} ")).unwrap();
    assert!(at("gatepass-core") < at("provider-cisco"));
    assert!(at("provider-cisco") < at("gatepass") && at("gatepass") < at("gatepass-cli"));
}

#[test]
fn interrupted_release_is_resumed_by_the_same_command() {
    let story = Story::shown();
    // Ctrl-C after the second crate was published.
    let published = &story.interrupted.published;
    assert!(published.len() >= 2 && published.len() < story.crates.len(), "{published:?}");
    assert_eq!(story.interrupted.subject, format!("release: {}", story.version));
    assert_eq!(story.interrupted.changed, "");
    // Each crate is published exactly once.
    assert_eq!(story.done.published, story.crates);
    assert_eq!(story.done.head, story.interrupted.head);
    assert!(story.done_told.contains("is published already"), "{}", story.done_told);
    assert!(story.done_told.contains("reused from the previous run"), "{}", story.done_told);
    assert!(story.done_told.contains(&format!("git push origin main v{}", story.version)));
    // A further run has no work to do.
    assert_eq!(story.again.published, story.crates);
    assert_eq!((&story.again.head, &story.again.tags), (&story.done.head, &story.done.tags));
}

#[test]
fn release_is_one_commit_with_tag() {
    let story = Story::shown();
    let (version, before) = (&story.version, &story.before);
    assert_eq!(story.git("rev-parse HEAD^"), story.begun.head);
    assert_eq!(story.git(&format!("rev-parse v{version}^{{commit}}")), story.done.head);
    assert_eq!(story.git(&format!("cat-file -t v{version}")), "tag");
    let files = story.git("diff --name-only HEAD^ HEAD");
    let files: Vec<&str> = files.lines().collect();
    let wanted = [
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "crates/gatepass/README.md",
        "docs/start/provider.md",
        "fuzz/Cargo.lock",
    ];
    assert_eq!(files, wanted);
    let changelog = story.git("show HEAD:CHANGELOG.md");
    let (unreleased, rest) = changelog.split_once(&format!("## [{version}] - ")).unwrap();
    assert!(unreleased.ends_with("## [Unreleased]\n\n"), "{unreleased}");
    assert!(rest.contains("- A change to be released.\n"));
    assert!(rest.contains(&format!("/compare/v{before}...v{version}")));
    let manifest = story.git("show HEAD:Cargo.toml");
    assert!(!manifest.contains(&format!("version = \"{before}\", path")), "{manifest}");
}

#[test]
fn project_from_registry_gets_a_token() {
    let story = Story::shown();
    project::gets_a_token(story);
}

#[test]
fn command_installs_from_the_registry() {
    let story = Story::shown();
    project::installs_the_command(story);
}

#[test]
fn files_match_their_checksums() {
    files::are_summed(Story::shown());
}

#[test]
fn archive_contains_command_and_documents() {
    files::archive(Story::shown());
}

#[test]
fn debian_package_installs_and_runs() {
    files::debian(Story::shown());
}

#[test]
fn downloads_contain_no_build_paths() {
    files::name_no_folder(Story::shown());
}
