//! Owns the claims about `blackstart import` as people type it: the guide's commands do what the guide says, scenarios that
//! are written load, and what is refused is refused with its place. Refuses to start containers.

use assert_cmd::Command;
use std::path::Path;

fn typed(folder: &Path, words: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("blackstart").expect("the executable was built");
    let command = command.args(words).current_dir(folder).env("NO_COLOR", "1").env_remove("DOCKER_HOST");
    let output = command.output().expect("it can be started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    (output.status.code().expect("it exits"), text(output.stdout), text(output.stderr))
}

fn document(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The blocks of a language in a page.
fn blocks<'t>(page: &'t str, language: &str) -> Vec<&'t str> {
    let begin = format!("```{language}\n");
    page.split(begin.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// The guide, from its first block to its last: what is typed, and the status it says.
#[test]
fn the_guide_to_the_first_verdict_does_what_it_says() {
    let page = document("docs/your-own-services.md");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let compose = blocks(&page, "yaml");
    assert_eq!(compose.len(), 1);
    std::fs::write(folder.path().join("compose.yaml"), compose[0]).expect("it can be written");
    let lines: Vec<&str> = blocks(&page, "console").into_iter().flat_map(str::lines).collect();
    let mut told = Vec::new();
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("$ ")) {
        let expect = lines
            .get(number + 1)
            .and_then(|next| next.strip_prefix("? "))
            .map_or(0, |status| status.parse().expect("a status"));
        if let Some(rest) = line.strip_prefix("$ echo \"") {
            let (text, file) = rest.split_once("\" > ").expect("a text into a file");
            std::fs::write(folder.path().join(file), format!("{text}\n")).expect("it can be written");
            continue;
        }
        let words: Vec<&str> = line.strip_prefix("$ blackstart ").expect("a command of ours").split(' ').collect();
        let (status, out, err) = typed(folder.path(), &words);
        assert_eq!(status, expect, "{line}\n{out}\n{err}");
        told.push(out);
    }
    let [imported, checked, dark, again, held, black] = told.as_slice() else { panic!("{} commands", told.len()) };
    assert!(imported.contains("2 services have one replica and no zone"), "{imported}");
    for word in [
        "G9: `web` ends while `api` is missing",
        "G9: `api` ends while `db` is missing",
        "G10: `web` waits at its start for `tracer`",
        "G3: `db` is regional and lives in one zone",
        "G8: `api` is in several zones",
    ] {
        assert!(checked.contains(word), "{word} is missing in\n{checked}");
    }
    assert!(dark.contains("VIOLATED") && dark.contains("Z1") && dark.contains("db"), "{dark}");
    assert!(!again.contains("have one replica and no zone"), "{again}");
    assert!(held.contains("HELD") && black.contains("HELD"), "{held}\n{black}");
}

/// Every case of `fixtures/imports` as typed: what is written can be checked, and is told with findings or without.
#[test]
fn what_is_imported_from_each_public_shape_can_be_checked() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let cases = [
        ("compose", "hotel-reservation", "G9: `frontend` ends while `consul` is missing"),
        ("compose", "social-network", "G10: `nginx-thrift` waits at its start for `jaeger-agent`"),
        ("compose", "media", "G3: "),
        ("compose", "sock-shop", "G3: "),
        ("kubernetes", "online-boutique", "G3: "),
    ];
    for (kind, name, word) in cases {
        let text = document(&format!("fixtures/imports/{name}.yaml"));
        std::fs::write(folder.path().join("file.yaml"), text).expect("it can be written");
        let (status, out, err) =
            typed(folder.path(), &["import", kind, "file.yaml", "--mock", "--name", name, "--out", name]);
        assert_eq!(status, 0, "{name}: {out}\n{err}");
        for day in ["zone-dark", "black-start"] {
            let (status, out, err) = typed(folder.path(), &["check", &format!("{name}/{name}-{day}.toml")]);
            assert_eq!(status, 1, "{name}: {out}\n{err}");
            assert!(out.contains(word), "{name}: {word} is missing in\n{out}");
        }
    }
}

#[test]
fn what_cannot_be_imported_is_refused_with_its_place_and_nothing_is_read_from_elsewhere() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("it can be written");
    write("a.yaml", "services:\n  a: &a\n    b: *a\n");
    write("secret", "KEY=1\n");
    std::fs::create_dir(folder.path().join("in")).expect("it can be made");
    std::fs::write(
        folder.path().join("in/b.yaml"),
        "services:\n  a:\n    image: a\n    ports: [80]\n    env_file: [../secret, /etc/hostname]\n    volumes: ['../secret:/s:ro']\n",
    )
    .expect("it can be written");
    let (status, out, err) = typed(folder.path(), &["import", "compose", "a.yaml"]);
    assert_eq!((status, out.as_str()), (64, ""));
    assert!(err.contains("cyclic-alias") && err.contains("a.yaml:3"), "{err}");
    let (status, _, err) = typed(folder.path(), &["import", "compose", "none.yaml", "also-none.yaml"]);
    assert_eq!(status, 64);
    assert!(err.contains("none.yaml cannot be read") && err.contains("also-none.yaml cannot be read"), "{err}");
    let (status, out, err) = typed(folder.path(), &["import", "compose", "in/b.yaml"]);
    assert_eq!(status, 0, "{err}");
    assert_eq!(out.matches("lies outside the folder of the file, and is not read").count(), 2, "{out}");
    let graph = std::fs::read_to_string(folder.path().join("imported/in.toml")).expect("it was written");
    assert!(!graph.contains("KEY") && graph.contains("reference = \"a\""), "{graph}");
    let (status, _, err) = typed(folder.path(), &["import", "compose", "in/b.yaml", "--entry", "aa"]);
    assert_eq!(status, 64);
    assert!(err.contains("there is no service `aa`") && err.contains("did you mean `a`"), "{err}");
}
