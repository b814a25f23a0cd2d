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
/// One recorded release, which all tests share.
mod story;

use story::Story;

#[test]
fn ctrl_c_while_building_changes_nothing() {
    let story = Story::recorded();
    assert_eq!(story.interrupted_build.changed, "");
    assert_eq!(story.interrupted_build.head, story.initial.head);
    assert_eq!(story.interrupted_build.tags, story.initial.tags);
    assert_eq!(story.interrupted_build.files, [""; 0]);
}

#[test]
fn dry_run_writes_to_target_only() {
    let story = Story::recorded();
    assert_eq!(story.dry.changed, "");
    assert_eq!((&story.dry.head, &story.dry.tags), (&story.initial.head, &story.initial.tags));
    assert!(story.dry.published.is_empty(), "{:?}", story.dry.published);
    for expected in [
        format!("git tag --annotate v{}", story.version),
        format!("the commit `release: {}` on main", story.version),
        String::from("--package gatepass-cli --registry local"),
        format!("gatepass-{}-{}.tar.gz", story.version, story.target),
    ] {
        assert!(story.dry_output.contains(&expected), "{expected} is not in {}", story.dry_output);
    }
    // Dependencies come before their dependents.
    let position = |name: &str| story.dry_output.find(&format!("--package {name} ")).unwrap();
    assert!(position("gatepass-core") < position("provider-cisco"));
    assert!(
        position("provider-cisco") < position("gatepass")
            && position("gatepass") < position("gatepass-cli")
    );
}

#[test]
fn interrupted_release_is_resumed_by_the_same_command() {
    let story = Story::recorded();
    // Ctrl-C after the second crate was published.
    let published = &story.interrupted.published;
    assert!(published.len() >= 2 && published.len() < story.crates.len(), "{published:?}");
    assert_eq!(story.interrupted.subject, format!("release: {}", story.version));
    assert_eq!(story.interrupted.changed, "");
    // Each crate is published exactly once.
    assert_eq!(story.done.published, story.crates);
    assert_eq!(story.done.head, story.interrupted.head);
    assert!(story.done_output.contains("is published already"), "{}", story.done_output);
    assert!(story.done_output.contains("reused from the previous run"), "{}", story.done_output);
    assert!(story.done_output.contains(&format!("git push origin main v{}", story.version)));
    // A further run has no work to do.
    assert_eq!(story.again.published, story.crates);
    assert_eq!((&story.again.head, &story.again.tags), (&story.done.head, &story.done.tags));
}

#[test]
fn release_is_one_commit_with_tag() {
    let story = Story::recorded();
    let (version, before) = (&story.version, &story.before);
    assert_eq!(story.git("rev-parse HEAD^"), story.initial.head);
    assert_eq!(story.git(&format!("rev-parse v{version}^{{commit}}")), story.done.head);
    assert_eq!(story.git(&format!("cat-file -t v{version}")), "tag");
    let files = story.git("diff --name-only HEAD^ HEAD");
    let files: Vec<&str> = files.lines().collect();
    let expected = [
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "crates/gatepass/README.md",
        "docs/start/provider.md",
        "docs/start/store.md",
        "fuzz/Cargo.lock",
    ];
    assert_eq!(files, expected);
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
    let story = Story::recorded();
    project::check_project(story);
}

#[test]
fn command_installs_from_the_registry() {
    let story = Story::recorded();
    project::check_installed_command(story);
}

#[test]
fn files_match_their_checksums() {
    files::check_checksums(Story::recorded());
}

#[test]
fn archive_contains_command_and_documents() {
    files::check_archive(Story::recorded());
}

#[test]
fn debian_package_installs_and_runs() {
    files::check_debian_package(Story::recorded());
}

#[test]
fn downloads_contain_no_build_paths() {
    files::check_no_build_paths(Story::recorded());
}
