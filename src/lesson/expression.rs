//! What must come out of a run, in the language of jq (run by jaq) over that run's JSON: an expectation is
//! an expression that gives `true`. In addition to jq's own filters there are
//!
//! - `of("poll")`: the results of a technique;
//! - `both(.head)`: of something that has `up` and `down`, the sum of both directions;
//! - `units`: every unit of a transcript that `inspect` made;
//! - `$before`: the JSON of the lesson's run before this one.
//!
//! In jq, a key that does not exist is `null`, and `null` is smaller than any number: an expectation with a
//! misspelt key would hold. So each key must occur somewhere in the JSON, and no part may be `null`. Functions of
//! the author's own (`def`) are refused: one that calls itself without end would use up the stack.

use std::collections::BTreeSet;

use jaq_core::load::lex::{Lexer, StrPart, Tok, Token};
use jaq_core::load::{self, Arena, Loader};
use jaq_core::{Compiler, Ctx, Vars, data, unwrap_valr};
use jaq_json::Val;
use serde_json::Value;

/// Filters that expressions may use in addition to jq's own.
const PRELUDE: &str = "\
def of($technique): .results[] | select(.technique == $technique);
def both(f): (.up | f) + (.down | f);
def units: .connections[].units[];";

/// The deepest nesting of parentheses, and the most characters: more than anybody reads, less than the
/// stack can bear.
const NESTED: usize = 50;
const CHARACTERS: usize = 2_000;

/// The variable that holds the run before.
const BEFORE: &str = "$before";

/// An expression that compiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    text: String,
    parts: Vec<String>,
    keys: BTreeSet<String>,
}

/// What expressions are evaluated over.
#[derive(Clone, Debug)]
pub struct Results {
    now: Val,
    before: Val,
    keys: BTreeSet<String>,
}

/// The verdict on an expectation.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Whether it held.
    pub held: bool,
    /// Its operands as they are written, and their values.
    pub parts: Vec<(String, Value)>,
    /// Why it could not be decided, which counts as not held.
    pub fault: Option<String>,
}

impl Results {
    /// The JSON of a run, and of the one before it.
    ///
    /// # Errors
    /// If it is not JSON.
    pub fn read(now: &[u8], before: Option<&[u8]>) -> Result<Results, String> {
        let read = |json: &[u8]| {
            let value: Value = serde_json::from_slice(json).map_err(|e| e.to_string())?;
            let read = jaq_json::read::parse_single(json).map_err(|e| e.to_string())?;
            Ok::<_, String>((read, value))
        };
        let (now, value) = read(now)?;
        let mut keys = BTreeSet::new();
        gather(&value, &mut keys);
        let before = match before {
            None => Val::Null,
            Some(json) => {
                let (before, value) = read(json)?;
                gather(&value, &mut keys);
                before
            }
        };
        Ok(Results { now, before, keys })
    }
}

/// Collects the keys of all objects in a value.
fn gather(value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|v| gather(v, keys)),
        Value::Object(all) => {
            for (key, value) in all {
                keys.insert(key.clone());
                gather(value, keys);
            }
        }
        _ => {}
    }
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// If it is not jq: where, and why.
    pub fn parse(text: &str) -> Result<Expression, String> {
        if text.chars().count() > CHARACTERS {
            return Err(format!("it has more than {CHARACTERS} characters"));
        }
        if nesting(text) > NESTED {
            return Err(format!(
                "it has more than {NESTED} parentheses within one another"
            ));
        }
        let tokens = Lexer::new(text).lex().map_err(|errors| match errors.first() {
            Some((expected, at)) => wanted(expected.as_str(), at),
            None => "it cannot be read".into(),
        })?;
        if defines(&tokens) {
            return Err("it defines a function (`def`), which is not allowed here".into());
        }
        compile(text, |_| ())?;
        let mut keys = BTreeSet::new();
        keys_of(&tokens, &mut keys);
        let mut parts = Vec::new();
        operands(text, &tokens, &mut parts);
        let mut seen = BTreeSet::new();
        parts.retain(|part| seen.insert(part.clone()));
        Ok(Expression {
            text: text.into(),
            parts,
            keys,
        })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it uses the run before.
    pub fn looks_back(&self) -> bool {
        self.text.contains(BEFORE)
    }

    /// Whether it names one of these keys.
    pub fn names(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.keys.contains(*key))
    }

    /// Its only value.
    ///
    /// # Errors
    /// If it has none or more than one, names a key that is not there, or fails.
    pub fn value(&self, results: &Results) -> Result<Value, String> {
        if let Some(key) = self.keys.difference(&results.keys).next() {
            return Err(format!("there is no key {key:?} in the results"));
        }
        let value = one(&self.text, results)?;
        match value {
            Value::Null => Err(format!("{} is null", self.text)),
            value => Ok(value),
        }
    }

    /// Whether it is true for the results, and with which figures.
    pub fn judge(&self, results: &Results) -> Verdict {
        let parts = |text: &String| (text.clone(), one(text, results).unwrap_or(Value::Null));
        let mut verdict = Verdict {
            held: false,
            parts: self.parts.iter().map(parts).collect(),
            fault: None,
        };
        let null = verdict.parts.iter().find(|(_, value)| value.is_null());
        match self.value(results) {
            Err(fault) => verdict.fault = Some(fault),
            Ok(_) if null.is_some() => verdict.fault = null.map(|(part, _)| format!("{part} is null")),
            Ok(Value::Bool(held)) => verdict.held = held,
            Ok(other) => verdict.fault = Some(format!("it gives {other}, neither true nor false")),
        }
        verdict
    }
}

/// The only value of an expression.
fn one(text: &str, results: &Results) -> Result<Value, String> {
    let values = compile(text, |filter| {
        let vars = Vars::new([results.before.clone()]);
        let context = Ctx::<data::JustLut<Val>>::new(&filter.lut, vars);
        let values = filter.id.run((context, results.now.clone())).map(unwrap_valr);
        let values = values.map(|v| v.map_err(|e| e.to_string())).take(2);
        values.collect::<Result<Vec<Val>, String>>()
    })??;
    match values.as_slice() {
        [value] => serde_json::from_str(&value.to_string()).map_err(|e| e.to_string()),
        [] => Err(format!("{text} gives no value")),
        _ => Err(format!("{text} gives more than one value")),
    }
}

type Filter = jaq_core::Filter<data::JustLut<Val>>;

/// Compiles an expression and passes it on: its compiled form lives no longer than its text.
fn compile<T>(text: &str, then: impl FnOnce(&Filter) -> T) -> Result<T, String> {
    let own = load::parse(PRELUDE, |p| p.defs()).unwrap_or_default();
    let defs = jaq_core::defs()
        .chain(jaq_std::defs())
        .chain(jaq_json::defs())
        .chain(own);
    let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let arena = Arena::default();
    let file = load::File { code: text, path: () };
    let modules = Loader::new(defs)
        .load(&arena, file)
        .map_err(|errors| match errors.first() {
            Some((_, load::Error::Lex(e))) => e.first().map(|(expected, at)| wanted(expected.as_str(), at)),
            Some((_, load::Error::Parse(e))) => e.first().map(|(expected, at)| wanted(expected.as_str(), at)),
            _ => None,
        })
        .map_err(|said| said.unwrap_or_else(|| "it cannot be read".into()))?;
    let filter = Compiler::default()
        .with_funs(funs)
        .with_global_vars([BEFORE])
        .compile(modules)
        .map_err(|errors| {
            let first = errors.first().and_then(|(_, errors)| errors.first());
            first.map_or_else(
                || "it cannot be compiled".into(),
                |(name, kind)| format!("there is no {} {name}", kind.as_str()),
            )
        })?;
    Ok(then(&filter))
}

fn wanted(what: &str, at: &str) -> String {
    match at.trim() {
        "" => format!("{what} expected at the end"),
        at => format!("{what} expected at `{at}`"),
    }
}

/// How deep parentheses of any kind are nested.
fn nesting(text: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => now += 1,
            ')' | ']' | '}' => now = now.saturating_sub(1),
            _ => {}
        }
        most = most.max(now);
    }
    most
}

/// Whether a function is defined anywhere in it.
fn defines(tokens: &[Token<&str>]) -> bool {
    tokens.iter().any(|Token(text, token)| match token {
        Tok::Word => *text == "def",
        Tok::Block(inner) => defines(inner),
        Tok::Str(parts) => parts
            .iter()
            .any(|part| matches!(part, StrPart::Term(term) if defines(std::slice::from_ref(term)))),
        _ => false,
    })
}

/// Collects the keys that are named as `.key`.
fn keys_of(tokens: &[Token<&str>], keys: &mut BTreeSet<String>) {
    for Token(text, token) in tokens {
        match token {
            Tok::Sym => keys.extend(
                text.strip_prefix('.')
                    .filter(|key| key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
                    .map(String::from),
            ),
            Tok::Block(inner) => keys_of(inner, keys),
            _ => {}
        }
    }
}

/// The operands between operators, without literals, which are not worth showing. If something that binds
/// weaker than an operator joins the tokens (a pipe, a comma), they are one operand.
fn operands(whole: &str, tokens: &[Token<&str>], parts: &mut Vec<String>) {
    const OPERATORS: &[&str] = &["==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"];
    let joins = |t: &Token<&str>| match t {
        Token(text, Tok::Sym) => OPERATORS.contains(text),
        Token(text, Tok::Word) => ["and", "or"].contains(text),
        _ => false,
    };
    let binds_weaker = |t: &Token<&str>| match t {
        Token(text, Tok::Sym) => ["|", ",", "//"].contains(text),
        Token(text, Tok::Word) => ["as", "def", "if", "reduce", "foreach", "try", "label"].contains(text),
        _ => false,
    };
    if tokens.iter().any(binds_weaker) {
        parts.extend(slice(whole, tokens));
        return;
    }
    for operand in tokens.split(joins) {
        match operand {
            operand if operand.iter().all(is_literal) => {}
            [Token(text, Tok::Block(inner))] if text.starts_with('(') => {
                let inner: &[Token<&str>] = match inner.split_last() {
                    Some((Token(")", _), inner)) => inner,
                    _ => inner,
                };
                operands(whole, inner, parts);
            }
            operand => parts.extend(slice(whole, operand)),
        }
    }
}

/// A number, a string, or a list of these.
fn is_literal(Token(text, token): &Token<&str>) -> bool {
    match token {
        Tok::Num | Tok::Str(_) => true,
        Tok::Sym => [",", "-", "]"].contains(text),
        Tok::Word => ["true", "false", "null"].contains(text),
        Tok::Block(inner) => text.starts_with('[') && inner.iter().all(is_literal),
        _ => false,
    }
}

/// The text from the first of these tokens to the last.
fn slice(whole: &str, tokens: &[Token<&str>]) -> Option<String> {
    let (Token(first, _), Token(last, _)) = (tokens.first()?, tokens.last()?);
    let range = load::span(whole, first).start..load::span(whole, last).end;
    whole.get(range).map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn results() -> Results {
        let before = json!({ "results": [{ "technique": "poll", "requests": { "total": 52 } }] });
        let now = json!({ "results": [
            { "technique": "poll", "requests": { "total": 40, "empty": 30 },
              "bytes": { "up": { "head": 7 }, "down": { "head": 5 } }, "heartbeat_ms": null },
            { "technique": "sse", "requests": { "total": 1, "empty": null } },
        ] });
        Results::read(now.to_string().as_bytes(), Some(before.to_string().as_bytes())).unwrap()
    }

    fn judge(text: &str) -> Verdict {
        Expression::parse(text).unwrap().judge(&results())
    }

    #[test]
    fn an_expectation_says_by_which_figures() {
        let held = judge(r#"of("poll").requests.total >= 20 * of("sse").requests.total"#);
        assert!(held.held && held.fault.is_none());
        assert_eq!(
            held.parts,
            [
                (r#"of("poll").requests.total"#.to_string(), json!(40)),
                (r#"of("sse").requests.total"#.to_string(), json!(1)),
            ]
        );
        let not = judge(r#"of("poll").requests | (.empty + 11) > .total"#);
        assert!(not.held, "a pipe binds weaker");
        let list = judge(r#"[.results[].technique] == ["poll", "sse"]"#);
        assert!(list.held && list.parts.len() == 1, "{list:?}");
        let not = judge(r#"(of("poll").requests.total - 30) > 10 and true"#);
        assert!(!not.held && not.fault.is_none());
        assert_eq!(
            not.parts[0],
            (r#"of("poll").requests.total"#.to_string(), json!(40))
        );
    }

    #[test]
    fn helpers_and_the_run_before() {
        assert!(judge(r#"(of("poll").bytes | both(.head)) == 12"#).held);
        assert!(judge(r#"($before | of("poll").requests.total) > of("poll").requests.total"#).held);
        assert!(
            Expression::parse("$before.results[0].requests.total > 1")
                .unwrap()
                .looks_back()
        );
        assert_eq!(
            Expression::parse(".results | length").unwrap().value(&results()),
            Ok(json!(2))
        );
        assert!(judge("all(.results[].requests.total; . >= 1)").held);
    }

    #[test]
    fn what_is_not_there_never_holds() {
        for (text, fault) in [
            (r#"of("pol").requests.total < 5"#, "gives no value"),
            (r#"of("poll").requests.totl < 5"#, r#"no key "totl""#),
            (
                r#"[.results[] | select(.requests.totl < 5)] | length == 2"#,
                r#"no key "totl""#,
            ),
            (r#"of("sse").requests.empty < 5"#, "is null"),
            ("of(\"poll\").heartbeat_ms < 5", "is null"),
            (".results[].requests.total > 0", "more than one value"),
            (".results | length", "neither true nor false"),
            (".results[0].technique - 1 > 0", "cannot"),
        ] {
            let verdict = judge(text);
            assert!(!verdict.held, "{text}");
            assert!(
                verdict.fault.as_ref().is_some_and(|f| f.contains(fault)),
                "{text}: {verdict:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        for (text, said) in [
            ("of(\"poll\"", "closing parenthesis expected"),
            ("1 +", "expected at the end"),
            ("of(\"poll\") § 2", "`§ 2`"),
            ("nothing(1)", "there is no"),
            ("$after.x == 1", "there is no"),
            ("", "expected"),
            ("def f: 1 + f; f > 0", "defines a function"),
            (r#""\(1 | def f: [f]; f)" == "1""#, "defines a function"),
            (
                &format!("{}1{}", "(".repeat(51), ")".repeat(51)),
                "more than 50 parentheses",
            ),
            (&"1 + ".repeat(501), "more than 2000 characters"),
        ] {
            let error = Expression::parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
