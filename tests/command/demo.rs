//! Lessons: what they claim holds, and would not hold anywhere else; a teacher's own are played, refused with
//! line and key, and failed with exit code 1.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mailcall::lesson::{self, Lesson};
use serde_json::Value;

use crate::support;

fn mailcall(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailcall"));
    command
        .args(args)
        .env_remove("LC_ALL")
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    mailcall(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn verdicts(args: &[&str]) -> (Vec<Value>, Output) {
    let output = run(args);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| {
        panic!("{e}: {}", text(&output.stderr));
    });
    assert_eq!(json["command"], "demo");
    (json["results"].as_array().unwrap().clone(), output)
}

/// Says what did not come out as it should.
fn complain(lesson: &Value, run: &Value, expectation: &Value) -> String {
    format!("{}: {}\n{expectation:#}", lesson["lesson"], run["argv"])
}

/// On a machine that stands still for a second, waits are longer anywhere: tells chance from rule.
fn second_look(lesson: &mut Value, how: &[&str]) {
    if lesson["held"] != true {
        let name = lesson["lesson"].as_str().unwrap();
        let args = [&["demo", name, "--format", "json"], how].concat();
        *lesson = verdicts(&args).0.remove(0);
    }
}

fn each(results: &[Value], mut look: impl FnMut(&Value, &Value, &Value)) {
    for lesson in results {
        for run in lesson["runs"].as_array().unwrap() {
            for expectation in run["expectations"].as_array().unwrap() {
                look(lesson, run, expectation);
            }
        }
    }
}

/// Lessons measure: one at a time, if it is not simulated.
static QUIET: Mutex<()> = Mutex::new(());

fn quiet() -> MutexGuard<'static, ()> {
    QUIET.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn every_lesson_holds_within_its_time() {
    let _quiet = quiet();
    let (mut results, output) = verdicts(&["demo", "all", "--auto", "--format", "json"]);
    assert_eq!(output.status.success(), results.iter().all(|l| l["held"] == true));
    for lesson in &mut results {
        second_look(lesson, &["--auto"]);
    }
    let mut not_held = Vec::new();
    each(&results, |lesson, run, expectation| {
        if expectation["held"] != true || !expectation["fault"].is_null() {
            not_held.push(complain(lesson, run, expectation));
        }
    });
    assert!(not_held.is_empty(), "{}", not_held.join("\n"));
    let total: f64 = results.iter().map(|l| l["took_ms"].as_f64().unwrap()).sum();
    assert!(
        total < 360e3,
        "all lessons together have six minutes, and took {total} ms"
    );
    assert!(results.len() >= 19, "only {} lessons", results.len());
}

/// What is simulated holds whatever the machine is at; what needs a machine is run for real, and says so.
#[test]
fn lessons_hold_when_they_are_simulated() {
    let can = |lesson: &Lesson| lesson.calls().any(|call| call.simulated().is_simulated());
    let is_simulated = |run: &Value| {
        run["argv"]
            .as_array()
            .unwrap()
            .iter()
            .any(|word| word == "--simulate")
    };
    let mut simulated = 0;
    for lesson in lesson::built_in().unwrap().iter().filter(|lesson| can(lesson)) {
        let (results, _) = verdicts(&["demo", &lesson.name, "--simulate", "--format", "json"]);
        let fails = lesson
            .steps
            .iter()
            .filter_map(|step| Some(step.run.as_ref()?.fails));
        for (run, fails) in results[0]["runs"].as_array().unwrap().iter().zip(fails) {
            let command = run["argv"][0].as_str().unwrap();
            let cannot = ["inspect", "sweep"].contains(&command);
            assert_eq!(is_simulated(run), !cannot, "{run:#}");
            if !cannot {
                let held = |e: &Value| e["held"] == true && e["fault"].is_null();
                let all = run["expectations"].as_array().unwrap().iter().all(held);
                assert!(
                    all && run["exit_code"] == i32::from(fails),
                    "{}: {run:#}",
                    lesson.name
                );
                simulated += 1;
            }
        }
    }
    assert!(simulated > 20, "only {simulated} runs");
}

#[test]
fn a_lesson_says_which_runs_are_not_simulated() {
    let own = Own::new(&SHORT.replace(
        "delivered == 3'",
        "delivered == 3 and of(\"sse\").segments.down > 0'",
    ));
    let said = text(&own.demo(&["--auto", "--simulate"]).stdout);
    assert!(
        said.contains("run for real: its figures need a machine"),
        "{said}"
    );
    let said = text(&Own::new(SHORT).demo(&["--auto", "--simulate"]).stdout);
    assert!(
        said.contains("$ mailcall sse --mails 3 --rate 1000/s --simulate"),
        "{said}"
    );
    assert!(
        said.contains("own: as expected ==") && !said.contains("run for real"),
        "{said}"
    );
}

#[test]
fn every_expectation_can_fail() {
    let (mut results, output) = verdicts(&["demo", "all", "--counter", "--simulate", "--format", "json"]);
    assert_eq!(output.status.success(), results.iter().all(|l| l["held"] == true));
    for lesson in &mut results {
        second_look(lesson, &["--counter", "--simulate"]);
        assert_eq!(lesson["held"], true, "an expectation never fails: {lesson:#}");
    }
    let mut failed = 0;
    each(&results, |_, _, expectation| {
        failed += u32::from(expectation["held"] == false)
    });
    assert!(failed as usize >= results.len());
}

/// A lesson of somebody's own, in a folder of its own.
struct Own {
    folder: tempfile::TempDir,
}

impl Own {
    fn new(text: &str) -> Own {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("own.toml"), text).unwrap();
        Own { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("own.toml")
    }

    fn demo(&self, more: &[&str]) -> Output {
        let path = self.path();
        run(&[&["demo", path.to_str().unwrap()], more].concat())
    }
}

/// Takes a moment: three mails at once.
const SHORT: &str = r#"
title = { en = "Mine", ko = "나의 수업" }
goal = { en = "To see that it works", ko = "되는지 보기" }

[[step]]
say.en = "Words before the run."
say.ko = "실행하기 전의 말입니다."

[[step]]
ask.en = "How many?"
ask.ko = "몇 통일까요?"
run = "mailcall sse --mails 3 --rate 1000/s"
expect = [{ that = 'of("sse").mails.delivered == 3', because.en = "three came", because.ko = "세 통이 왔습니다" }]
counter = ["mailcall sse --mails 2 --rate 1000/s"]
answer.en = "It was {of(\"sse\").mails.delivered}."
answer.ko = "{of(\"sse\").mails.delivered}(이었/였)습니다."
"#;

#[test]
fn a_lesson_of_ones_own_is_played_and_checked() {
    let own = Own::new(SHORT);
    let played = own.demo(&["--verbose"]);
    let said = text(&played.stdout);
    assert!(played.status.success(), "{said}{}", text(&played.stderr));
    let mut at = 0;
    for part in [
        "== lesson own ==",
        "Mine",
        "To see that it works",
        "Words before the run.",
        "Question: How many?",
        "$ mailcall sse --mails 3 --rate 1000/s",
        "overhead",
        "✓ as expected: three came",
        r#"of("sse").mails.delivered = 3"#,
        "Answer: It was 3.",
        "== end of lesson own: as expected ==",
    ] {
        let found = said[at..].find(part);
        at += found.unwrap_or_else(|| panic!("{part:?} is missing, or too early\n{said}"));
    }
    assert!(!said.contains('\u{1b}'), "no colour where there is no terminal");
    assert!(text(&played.stderr).contains("stdin is no terminal"));
    assert!(!text(&own.demo(&["--auto"]).stderr).contains("stdin"));

    let korean = text(&own.demo(&["--lang", "ko", "--auto"]).stdout);
    for part in [
        "나의 수업",
        "질문: 몇 통일까요?",
        "답: 3이었습니다.",
        "== 수업 own 끝: 기대대로 나옴 ==",
    ] {
        assert!(korean.contains(part), "{part}\n{korean}");
    }

    let counter = text(&own.demo(&["--counter"]).stdout);
    assert!(counter.contains("$ mailcall sse --mails 2") && counter.contains("not as expected: three came"));
    assert!(
        counter.contains("== end of lesson own: each expectation can fail =="),
        "{counter}"
    );

    let path = own.path();
    let checked = run(&["demo", "check", path.to_str().unwrap()]);
    assert!(checked.status.success());
    assert!(text(&checked.stdout).contains("steps 2, runs 1, expectations 1"));
}

#[test]
fn what_does_not_hold_is_shown_with_its_numbers() {
    let own = Own::new(&SHORT.replace("delivered == 3", "delivered > 2 * of(\"sse\").requests.total + 1"));
    let brief = text(&own.demo(&["--auto"]).stdout);
    assert!(
        brief.contains("Use --verbose to see the figures.") && !brief.contains("of(\"sse\")"),
        "{brief}"
    );
    let played = own.demo(&["--auto", "--verbose"]);
    let said = text(&played.stdout);
    assert_eq!(played.status.code(), Some(1), "{said}");
    for part in [
        "✗ not as expected: three came",
        r#"of("sse").mails.delivered > 2 * of("sse").requests.total + 1"#,
        r#"of("sse").mails.delivered = 3"#,
        r#"of("sse").requests.total = 1"#,
        "== end of lesson own: not as expected ==",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let misspelt = Own::new(&SHORT.replace("mails.delivered == 3", "mails.deliverd < 9"));
    let played = misspelt.demo(&["--auto"]);
    assert_eq!(played.status.code(), Some(1));
    assert!(text(&played.stdout).contains("there is no key \"deliverd\""));
    let never = Own::new(&SHORT.replace("delivered == 3", "delivered > 0"));
    let countered = never.demo(&["--counter"]);
    assert_eq!(countered.status.code(), Some(1));
    assert!(text(&countered.stdout).contains("an expectation never fails"));
}

/// Nobody has to guess for it.
#[test]
fn a_question_that_cannot_be_decided_fails_the_lesson() {
    let choice = |when: &str| format!("{{ text.en = \"some\", text.ko = \"몇 통\", when = '{when}' }}");
    let two = format!("choices = [{}, {}]\nanswer.en", choice("true"), choice("true"));
    for (question, said) in [
        (two.as_str(), "2 of a question's choices are right, not one"),
        (
            "value = 'of(\"sse\").mails.deliverd'\nanswer.en",
            "there is no key \"deliverd\"",
        ),
    ] {
        let played = Own::new(&SHORT.replace("answer.en", question)).demo(&["--auto"]);
        let error = text(&played.stderr);
        assert_eq!(played.status.code(), Some(1), "{error}");
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_legend_stands_once_for_each_kind_of_result() {
    let step = |run: &str| format!("\n[[step]]\nrun = \"mailcall {run}\"\n");
    let more = [
        "ws --mails 2 --rate 1000/s",
        "inspect sse",
        "inspect ws",
        "poll --mails 2 --rate 1000/s",
    ];
    let own = Own::new(&(SHORT.to_string() + &more.map(step).concat()));
    let said = text(&own.demo(&["--auto", "--simulate"]).stdout);
    assert_eq!(said.matches("overhead: every byte").count(), 1, "{said}");
    assert_eq!(said.matches("→ up: from client to server.").count(), 1, "{said}");
}

#[test]
fn a_run_that_fails_fails_the_lesson() {
    // Mail that nobody waits for is lost: the command says so with its exit code.
    let own = Own::new(
        &SHORT
            .replace(
                "mailcall sse --mails 3 --rate 1000/s",
                "mailcall poll --mails 5 --rate 1000/s --keep 1",
            )
            .replace("of(\"sse\").mails.delivered == 3", "of(\"poll\").mails.sent == 5")
            .replace("of(\\\"sse\\\")", "of(\\\"poll\\\")"),
    );
    let played = own.demo(&["--auto"]);
    let said = text(&played.stdout);
    assert_eq!(played.status.code(), Some(1), "{said}{}", text(&played.stderr));
    assert!(
        said.contains("the run itself failed") && said.contains("✓ as expected: three came"),
        "{said}"
    );
}

#[test]
fn a_bad_file_is_named_with_line_and_key() {
    for (from, to, line, said) in [
        ("say.en", "sya.en", 6, "unknown field `sya`"),
        ("\"Words before the run.\"", "7", 6, "say.en"),
        (
            "mailcall sse --mails 3",
            "mailcall sse --mials 3",
            12,
            "step[2].run: unexpected argument '--mials'",
        ),
        (
            "mailcall sse --mails 3",
            "mailcall sse --mails 0",
            12,
            "step[2].run: invalid value '0'",
        ),
        (
            "mailcall sse --mails 3",
            "curl http://localhost",
            12,
            "step[2].run: it must begin with `mailcall`",
        ),
        (
            "mailcall sse --mails 2",
            "mailcall poll | sh",
            14,
            "step[2].counter: '|'",
        ),
        (
            "delivered == 3'",
            "delivered == '",
            13,
            "step[2].expect[1].that: ",
        ),
        (
            "{of(\\\"sse\\\").mails.delivered}.\"",
            "{.a.\"",
            15,
            "step[2].answer",
        ),
        (
            "mailcall sse --mails 3",
            "mailcall sse --help",
            12,
            "step[2].run: `mailcall sse --help --rate 1000/s` measures nothing",
        ),
        ("title = ", "titel = ", 2, "unknown field `titel`"),
        ("[[step]]\nsay", "[[step]\nsay", 5, ""),
    ] {
        assert!(SHORT.contains(from), "{from}");
        let own = Own::new(&SHORT.replacen(from, to, 1));
        for args in [vec!["demo"], vec!["demo", "check"]] {
            let path = own.path();
            let refused = run(&[args, vec![path.to_str().unwrap()]].concat());
            let error = text(&refused.stderr);
            assert_eq!(refused.status.code(), Some(2), "{to}: {error}");
            let place = format!("own.toml: line {line}: ");
            assert!(error.contains(&place) && error.contains(said), "{to}: {error}");
            assert!(refused.stdout.is_empty());
        }
    }
    let none = run(&["demo", "no/such/lesson.toml"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(text(&none.stderr).contains("cannot read the lesson no/such/lesson.toml"));
    let unknown = run(&["demo", "teleportation"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("there is no lesson \"teleportation\"; `mailcall demo` lists"));
    let misspelt = text(&run(&["demo", "wasted-pols"]).stderr);
    assert!(misspelt.contains("did you mean \"wasted-polls\"?"), "{misspelt}");
}

#[test]
fn what_never_ends_is_given_up() {
    let _quiet = quiet();
    for (from, to) in [
        ("of(\"sse\").mails.delivered == 3", "until(false; .)"),
        ("{of(\\\"sse\\\").mails.delivered}.\"", "{[range(infinite)]}\""),
        ("answer.en", "value = 'until(false; .)'\nanswer.en"),
    ] {
        assert!(SHORT.contains(from), "{from}");
        let endless = Own::new(&SHORT.replacen(from, to, 1)).demo(&[]);
        let error = text(&endless.stderr);
        assert_eq!(endless.status.code(), Some(1), "{error}");
        assert!(error.contains("does it ever end?"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_without_end_is_no_lesson() {
    for args in [&["demo", "/dev/zero"][..], &["demo", "check", "/dev/zero"]] {
        let refused = run(args);
        let error = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{error}");
        assert!(error.contains("larger than the 1 MiB allowed"), "{error}");
    }
}

#[test]
fn lessons_are_listed_for_people_and_programs() {
    let list = text(&run(&["demo"]).stdout);
    let korean = text(&run(&["demo", "--lang", "ko"]).stdout);
    let (json, _) = verdicts(&["demo", "--format", "json"]);
    for (i, lesson) in json.iter().enumerate() {
        let name = lesson["lesson"].as_str().unwrap();
        let entry = format!("{:>2}  {name} (", i + 1);
        assert!(list.contains(&entry) && korean.contains(&entry), "{entry}");
        assert!(list.contains(lesson["title"].as_str().unwrap()));
        assert!(!lesson["goal"].as_str().unwrap().is_empty());
        let chapter = lesson["chapter"].as_str().unwrap();
        assert!(list.contains(&format!("More: docs/tutorial/{chapter}.md")));
        assert!(korean.contains(&format!("더 읽기: docs/tutorial.ko/{chapter}.md")));
    }
    assert!(korean.contains("헛걸음하는 폴링") && !list.contains("헛걸음"));
    let wide = list.lines().find(|l| l.chars().count() > 80);
    assert_eq!(wide, None);
}

#[test]
fn a_lesson_ends_with_the_chapter_that_says_more() {
    let said = text(&run(&["demo", "four-ways", "--auto", "--simulate"]).stdout);
    let end =
        "\nMore: docs/tutorial/00-mail-client-server.md\n\n== end of lesson four-ways: as expected ==\n";
    assert!(said.ends_with(end), "{said}");
    let own = Own::new(SHORT).demo(&["--auto"]);
    assert!(
        !text(&own.stdout).contains("More:"),
        "a lesson may have no chapter"
    );
}

/// Each part is behind the one before.
fn in_order(text: &str, parts: &[&str]) {
    let mut at = 0;
    for part in parts {
        let found = text[at..].find(part);
        at += found.unwrap_or_else(|| panic!("{part:?} is missing, or too early\n{text}"));
    }
}

#[test]
fn a_lesson_becomes_a_worksheet_whose_key_is_on_a_page_of_its_own() {
    let own = Own::new(SHORT);
    let sheet = own.demo(&["--worksheet"]);
    assert!(sheet.status.success(), "{}", text(&sheet.stderr));
    in_order(
        &text(&sheet.stdout),
        &[
            "# Worksheet: Mine",
            "Words before the run.",
            "## Question 1\n\nHow many?",
            "I predict: ___",
            "```sh\nmailcall sse --mails 3 --rate 1000/s\n```",
            "It came out: ___",
            "Why: ___",
            "page-break-before: always",
            "# Key: Mine",
            "**Question 1.** It was 3.",
            "- three came",
        ],
    );
    let before_key = text(&sheet.stdout);
    let before_key = before_key.split("# Key").next().unwrap();
    assert!(!before_key.contains("It was 3.") && !before_key.contains("three came"));
    let html = text(&own.demo(&["--worksheet=html", "--lang", "ko"]).stdout);
    in_order(
        &html,
        &[
            "<html lang=\"ko\">",
            "<h1>학습지: 나의 수업</h1>",
            "<p>몇 통일까요?</p>",
            "<section class=\"key\">",
            "3이었습니다.",
            "</html>",
        ],
    );
    let both = own.demo(&["--worksheet", "--slides"]);
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn a_lesson_becomes_slides_for_marp() {
    let slides = text(&Own::new(SHORT).demo(&["--slides"]).stdout);
    assert!(slides.starts_with("---\nmarp: true\n"), "{slides}");
    let parts: Vec<&str> = slides.split("\n---\n").collect();
    let [_, title, words, question, command, answer] = &parts[..] else {
        panic!("{} parts\n{slides}", parts.len())
    };
    for (slide, says) in [
        (title, "# Mine"),
        (words, "Words before the run."),
        (question, "How many?"),
        (command, "mailcall sse --mails 3 --rate 1000/s"),
        (answer, "It was 3."),
    ] {
        assert!(slide.contains(says), "{says}: {slide}");
    }
}

/// Whether there is the `script` that makes terminals for programs.
#[cfg(unix)]
fn script_is_here() -> bool {
    let there = Command::new("script").arg("--version").output();
    let present = there.is_ok_and(|output| text(&output.stdout).contains("util-linux"));
    support::is_here("script (util-linux)", present)
}

#[cfg(unix)]
#[test]
fn on_a_terminal_an_answer_is_held_back_until_enter() {
    if !script_is_here() {
        return;
    }
    let value = "value = 'of(\"sse\").mails.delivered'\nanswer.en";
    let own = Own::new(&SHORT.replace("answer.en", value));
    let shown = played_on_a_terminal(&own, |pause, shown| {
        assert!(!shown.contains("Answer") && !shown.contains("held"), "{shown}");
        assert_eq!(shown.contains("Question"), pause >= 2, "{shown}");
        // The table can be looked at before it is said what came of it.
        assert_eq!(shown.contains("mean latency"), pause == 3, "{shown}");
        assert_eq!(shown.matches("q or Ctrl-C leaves").count(), 1, "{shown}");
        if pause == 2 { "5\n" } else { "\n" }
    });
    assert_eq!(shown.matches("[Enter]").count(), 3, "{shown}");
    in_order(
        &shown,
        &["You said 5; it was 3.", "Answer", "own: as expected =="],
    );
    assert!(shown.contains("\u{1b}[1m"), "a terminal has colours: {shown}");
    assert!(!shown.contains("wrote"), "{shown}");
}

#[cfg(unix)]
#[test]
fn a_question_can_have_choices_and_a_lesson_can_be_left() {
    if !script_is_here() {
        return;
    }
    let choices = "choices = [{ text.en = \"two\", text.ko = \"두 통\", when = 'of(\"sse\").mails.delivered == 2' }, \
                   { text.en = \"three\", text.ko = \"세 통\", when = 'of(\"sse\").mails.delivered == 3' }]\nanswer.en";
    let own = Own::new(&SHORT.replace("answer.en", choices));
    let with = |guess: &'static str| {
        played_on_a_terminal(&own, |pause, shown| {
            assert_eq!(shown.contains("b) three"), pause >= 2, "{shown}");
            if pause == 2 { guess } else { "\n" }
        })
    };
    assert!(with("B\n").contains("You said B, and that is right."));
    assert!(with("c\n").contains("You said c; it was b."));
    assert!(with("a\n").contains("You said a; it was b."));
    assert!(!with("\n").contains("You said"));
    let left = played_on_a_terminal(&own, |_, _| "q\n");
    assert!(
        !left.contains("Question") && !left.contains("end of lesson"),
        "{left}"
    );
}

/// Plays a lesson on a terminal, and types what `key` says at each pause, which are counted from 1.
#[cfg(unix)]
fn played_on_a_terminal(own: &Own, key: impl Fn(usize, &str) -> &'static str) -> String {
    use std::io::{Read, Write};
    let command = format!(
        "stty cols 50; NO_COLOR= LANG=C.UTF-8 exec {} demo {}",
        env!("CARGO_BIN_EXE_mailcall"),
        own.path().display()
    );
    let mut terminal = support::Kept::start(Command::new("script").args(["-qefc", &command, "/dev/null"]));
    let (mut out, mut keys) = (terminal.stdout(), terminal.stdin());
    let (mut bytes, mut byte, mut pauses) = (Vec::new(), [0; 1], 0);
    while let Ok(1) = out.read(&mut byte) {
        bytes.push(byte[0]);
        let shown = String::from_utf8_lossy(&bytes);
        if shown.matches("[Enter]").count() > pauses {
            pauses += 1;
            keys.write_all(key(pauses, &shown).as_bytes()).unwrap();
        }
    }
    assert_eq!(terminal.ended().code(), Some(0));
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(unix)]
#[test]
fn a_lesson_is_recorded_as_an_asciicast() {
    let own = Own::new(SHORT);
    let cast = own.folder.path().join("own.cast");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/record");
    let recorded = Command::new(script)
        .arg(own.path())
        .arg(&cast)
        .env("MAILCALL", env!("CARGO_BIN_EXE_mailcall"))
        .env("PACE", "100")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let error = text(&recorded.stderr);
    let can = !error.contains("neither asciinema nor");
    if !support::is_here("asciinema, or script (util-linux) and python3", can) {
        return;
    }
    assert!(recorded.status.success(), "{error}");
    let cast = fs::read_to_string(cast).unwrap();
    let mut lines = cast.lines().map(|l| serde_json::from_str::<Value>(l).unwrap());
    let header = lines.next().unwrap();
    assert_eq!((&header["version"], &header["width"]), (&2.into(), &80.into()));
    let mut shown = String::new();
    let mut last = 0.0;
    for event in lines {
        let at = event[0].as_f64().unwrap();
        assert!(at >= last, "time goes on");
        last = at;
        if event[1] == "o" {
            shown += event[2].as_str().unwrap();
        }
    }
    assert!(
        shown.contains("== lesson own ==") && shown.contains("== end of lesson own: as expected =="),
        "{shown}"
    );
    assert!(shown.contains("✓"), "{shown}");
}
