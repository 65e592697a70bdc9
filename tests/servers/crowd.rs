//! A thousand clients of each technique, through the program itself: nobody is lost in the crowd.

use std::process::Command;

use mailcall::outcome::Report;
use mailcall::technique;

const CLIENTS: u64 = 1_000;
const MAILS: u64 = 3;

#[test]
fn a_thousand_clients_of_each_technique_have_a_clean_sheet() {
    let scenario = "--clients 1000 --mails 3 --rate 1/s --interval 2s --grace 30s --format json";
    let mut mailcall = Command::new(env!("CARGO_BIN_EXE_mailcall"));
    mailcall.env("LC_ALL", "C");
    let ended = mailcall
        .args(["compare", "--all"])
        .args(scenario.split(' '))
        .output()
        .unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    let report: Report = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(report.results.len(), technique::ALL.len());
    for (outcome, technique) in report.results.iter().zip(technique::ALL) {
        let mails = &outcome.mails;
        assert_eq!(
            (mails.sent, mails.delivered),
            (MAILS, MAILS * CLIENTS),
            "{}",
            technique.name
        );
        assert!(outcome.clean(), "{}: {mails:?}", technique.name);
        assert!(
            !technique.holds || outcome.connections.peak >= CLIENTS,
            "{}",
            technique.name
        );
    }
}
