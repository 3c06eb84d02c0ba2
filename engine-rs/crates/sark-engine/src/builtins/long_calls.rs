//! Calls with operands that mean harm: each ends, however large they are.
//!
//! Every builtin has a row with the kinds of its operands, and is called with all of each kind. The clock of these calls runs out
//! soon; what is asked is that they end soon after, on the stack that a builtin is sure to have.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    collections::BTreeSet,
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

use ::base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use regorus::{
    Value,
    unstable::BUILTINS,
    value::{Object, Set},
};

use rustix::time::{ClockId, clock_gettime};

use super::{Availability, Circumstances, availability, every_own};
use crate::{
    document::Spelled,
    program::{BuiltinTable, MAX_PARTS},
};

/// Time after which a call has to end that can.
const LIMIT: Duration = Duration::from_millis(2);
/// Time of a processor that bounded work takes at most on any machine. Where it was not bounded, some of these took minutes.
const AT_MOST: Duration = Duration::from_secs(10);
/// Stack that a builtin is sure to have.
const STACK: usize = 1 << 20;

/// Bytes of a text.
const LONG: usize = 200_000;
/// Elements of a collection.
const MANY: usize = 50_000;

/// Operands of one kind.
type Kind = fn() -> Vec<Value>;

const ROWS: &[(&[&str], &[Kind])] = &[
    // One text.
    (
        &[
            "base64.decode",
            "base64.encode",
            "base64.is_valid",
            "base64url.decode",
            "base64url.encode",
            "base64url.encode_no_pad",
            "cast_string",
            "crypto.md5",
            "crypto.sha1",
            "crypto.sha256",
            "glob.quote_meta",
            "hex.decode",
            "hex.encode",
            "io.jwt.decode",
            "json.is_valid",
            "json.unmarshal",
            "lower",
            "net.cidr_is_valid",
            "semver.is_valid",
            "strings.reverse",
            "time.parse_duration_ns",
            "time.parse_rfc3339_ns",
            "to_number",
            "trace",
            "trim_space",
            "units.parse",
            "units.parse_bytes",
            "upper",
            "uri.is_valid",
            "uri.parse",
            "urlquery.decode",
            "urlquery.decode_object",
            "urlquery.encode",
            "uuid.rfc4122",
        ],
        &[texts],
    ),
    (&["regex.is_valid"], &[patterns]),
    // Two texts, and three.
    (
        &[
            "contains",
            "crypto.hmac.equal",
            "crypto.hmac.md5",
            "crypto.hmac.sha1",
            "crypto.hmac.sha256",
            "crypto.hmac.sha512",
            "endswith",
            "indexof",
            "indexof_n",
            "net.cidr_contains",
            "net.cidr_intersects",
            "net.cidr_overlap",
            "semver.compare",
            "split",
            "startswith",
            "strings.count",
            "time.parse_ns",
            "trim",
            "trim_left",
            "trim_prefix",
            "trim_right",
            "trim_suffix",
        ],
        &[texts, other_texts],
    ),
    (&["replace"], &[texts, other_texts, short_texts]),
    (&["strings.split_n"], &[texts, other_texts, numbers]),
    (&["substring"], &[texts, numbers, numbers]),
    (&["re_match", "regex.match"], &[patterns, other_texts]),
    (&["regex.split"], &[patterns, other_texts]),
    (&["regex.find_n", "regex.find_all_string_submatch_n"], &[patterns, other_texts, all_of_them]),
    (&["regex.replace"], &[other_texts, patterns, replacements]),
    (&["regex.template_match"], &[templates, other_texts, opening, closing]),
    (&["regex.globs_match"], &[globs, globs]),
    (&["glob.match"], &[globs, delimiters, other_texts]),
    // Tokens.
    (
        &[
            "io.jwt.verify_eddsa",
            "io.jwt.verify_es256",
            "io.jwt.verify_es384",
            "io.jwt.verify_es512",
            "io.jwt.verify_hs256",
            "io.jwt.verify_hs384",
            "io.jwt.verify_hs512",
            "io.jwt.verify_ps256",
            "io.jwt.verify_ps384",
            "io.jwt.verify_ps512",
            "io.jwt.verify_rs256",
            "io.jwt.verify_rs384",
            "io.jwt.verify_rs512",
        ],
        &[tokens, keys],
    ),
    (&["io.jwt.decode_verify"], &[tokens, constraints]),
    // Texts in collections.
    (&["concat"], &[short_texts, collections]),
    (&["sprintf"], &[other_texts, arrays]),
    (&["strings.any_prefix_match", "strings.any_suffix_match"], &[mixed, mixed]),
    (&["strings.replace_n"], &[replaced, texts]),
    (&["urlquery.encode_object"], &[objects]),
    (&["net.cidr_contains_matches"], &[networks, networks]),
    (&["net.cidr_merge"], &[networks]),
    // Any value.
    (
        &[
            "all",
            "any",
            "array.flatten",
            "array.reverse",
            "cast_array",
            "cast_boolean",
            "cast_null",
            "cast_object",
            "cast_set",
            "count",
            "intersection",
            "is_array",
            "is_boolean",
            "is_null",
            "is_number",
            "is_object",
            "is_set",
            "is_string",
            "json.marshal",
            "max",
            "min",
            "object.keys",
            "object.union_n",
            "product",
            "sort",
            "sum",
            "type_name",
            "union",
        ],
        &[collections],
    ),
    (
        &[
            "__builtin_sets.intersection",
            "__builtin_sets.union",
            "and",
            "array.concat",
            "equal",
            "gt",
            "gte",
            "internal.member_2",
            "lt",
            "lte",
            "minus",
            "neq",
            "object.filter",
            "object.remove",
            "object.subset",
            "object.union",
            "or",
            "set_diff",
        ],
        &[mixed, mixed],
    ),
    (&["internal.member_3"], &[short_texts, arrays, mixed]),
    (&["array.slice"], &[arrays, numbers, numbers]),
    (&["object.get"], &[objects, paths, short_texts]),
    (&["json.filter", "json.remove"], &[objects, lists_of_paths]),
    (&["json.patch"], &[objects, patches]),
    (&["json.marshal_with_options"], &[collections, options]),
    (&["graph.reachable"], &[graphs, mixed]),
    // A relation: the machine walks itself, tick by tick.
    (&["walk"], &[collections]),
    // Numbers.
    (&["abs", "bits.negate", "ceil", "floor", "round"], &[numbers]),
    (
        &[
            "bits.and",
            "bits.lsh",
            "bits.or",
            "bits.rsh",
            "bits.xor",
            "div",
            "format_int",
            "mul",
            "numbers.range",
            "plus",
            "rem",
        ],
        &[numbers, numbers],
    ),
    (&["numbers.range_step"], &[numbers, numbers, numbers]),
    (&["rand.intn"], &[short_texts, numbers]),
    // Times.
    (&["time.clock", "time.date", "time.format", "time.weekday"], &[times]),
    (&["time.diff"], &[times, times]),
    (&["time.add_date"], &[times, numbers, numbers, numbers]),
    (&["time.now_ns"], &[]),
];

fn repeated(text: &str) -> String {
    text.repeat(LONG / text.len())
}

fn texts() -> Vec<Value> {
    static TEXTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let mut texts: Vec<String> = [
            "a",
            "é",
            "0",
            "9",
            ".",
            " ",
            "\"",
            "%41",
            "[",
            "{\"a\":",
            "[0,",
            "a:b\n",
            "&a=b",
            "1h",
            "1.",
            "2006",
            "MST",
            "=",
            "YWFh",
            "-----BEGIN A-----\n-----END :\n",
            "%v",
            "\\",
        ]
        .map(repeated)
        .into();
        texts.push(format!("[{}0]", "0,".repeat(MANY)));
        texts.push(format!("1.0.0-{}1", "1.".repeat(MANY)));
        texts.push(format!("{}b", "a".repeat(LONG / 2)));
        texts.push(format!("{}.{0}.{0}", "eyJhIjoxfQ".repeat(MANY / 10)));
        texts.into_iter().map(Value::from).chain(short_texts()).collect()
    });
    TEXTS.clone()
}

/// What a search may look for, or look through.
fn other_texts() -> Vec<Value> {
    let half = format!("{}b", "a".repeat(LONG / 2));
    let texts = ["a", "é", ".", "a b, ", "%v"].map(repeated);
    texts.into_iter().chain([half]).map(Value::from).chain(short_texts()).collect()
}

fn short_texts() -> Vec<Value> {
    ["", "a", "é", "10.0.0.0/8"].map(Value::from).into()
}

fn numbers() -> Vec<Value> {
    let mut numbers: Vec<Value> = [0_i64, 1, 2, 8, 16, -1, 1_000_000, i64::MAX].map(Value::from).into();
    numbers.push(Value::from_numeric_string(&"9".repeat(308)).unwrap());
    numbers.push(Value::from(0.5));
    numbers
}

fn all_of_them() -> Vec<Value> {
    vec![Value::from(-1_i64)]
}

fn patterns() -> Vec<Value> {
    let mut patterns: Vec<String> = [
        "a",
        "a*b|a",
        "(a*)*b",
        "(a|aa)+$b",
        "((a{1,100}){1,10}){1,1}b",
        "(?:a?){1000}a{1000}b",
        "(?i)[a-z0-9._%+-]+@[a-z]+$",
        "[^b]*b|.",
        "",
        "()",
        "(a)(a)(a)?",
        ".*.*.*=.*",
        "(.*)(.*)(.*)(.*)x",
        "\\B",
        "\\p{L}{900}",
    ]
    .map(str::to_owned)
    .into();
    for part in
        ["a", "(?:a|", "[[:alpha:]]", "\\p{L}", "(?i:\\p{L})", "a?", "(a)", "a|", "\\Qa\\E", "[[:", "x{900}", "(", "[^\\p{L}]"]
    {
        patterns.extend([150, 32_000, LONG].map(|bytes| part.repeat(bytes / part.len())));
    }
    patterns.into_iter().map(Value::from).collect()
}

fn replacements() -> Vec<Value> {
    ["", "b", "$0$0"].map(Value::from).into()
}

fn templates() -> Vec<Value> {
    ["{", "{}", "{a}", "{.*}", "a", "{}}"].map(|part| Value::from(repeated(part))).into()
}

fn opening() -> Vec<Value> {
    vec!["{".into()]
}

fn closing() -> Vec<Value> {
    vec!["}".into()]
}

fn globs() -> Vec<Value> {
    let wide: String = (0..5_000).filter_map(|number| char::from_u32(0x1_0000 + 2 * number)).collect();
    let mut globs: Vec<String> = ["*a", "[a-z]*x", "**", "{a,", "?", "a", "[abc]", "a*b*", ".+", "\\a"].map(repeated).into();
    globs.extend(["*a", "[a-z]*x", "a*b*", "**", "?", "{a,b}"].map(|part| part.repeat(300)));
    globs.push(format!("[{wide}]*x").repeat(60));
    globs.push(format!("{}{}", "{".repeat(LONG / 2), "}".repeat(LONG / 2)));
    globs.into_iter().map(Value::from).collect()
}

fn delimiters() -> Vec<Value> {
    let many: Vec<Value> =
        (0..MANY).filter_map(|code| char::from_u32(u32::try_from(code).unwrap())).map(|c| c.to_string().into()).collect();
    vec![Value::Null, Value::new_array(), Value::from(many)]
}

fn of_json(text: &str) -> Value {
    Value::from_json_str(text).unwrap()
}

/// A value inside of as many arrays as an input may have.
fn deep(inner: Value) -> Value {
    (0..99).fold(inner, |inner, _| Value::from(vec![inner]))
}

fn arrays() -> Vec<Value> {
    static ARRAYS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let array = |item: &dyn Fn(usize) -> Value| Value::from((0..MANY).map(item).collect::<Vec<_>>());
        let few = array(&|number| Value::from(number % 2));
        vec![
            Value::new_array(),
            array(&Value::from),
            array(&|_| Value::from("a")),
            array(&|number| Value::from(format!("{number}"))),
            array(&|number| Value::from(vec![Value::from(number)])),
            array(&|number| object(&[(format!("k{number}"), Value::from(number))])),
            array(&|number| object(&[("k".to_owned(), object(&[(format!("{number}"), Value::from(number))]))])),
            array(&|_| Value::Bool(true)),
            // One array, many times: as many parts as a value may have.
            Value::from(vec![few.clone(); MAX_PARTS / MANY]),
            Value::from(vec![Value::from("a".repeat(LONG)); 100]),
            Value::from((0..MANY / 30).map(|_| Value::from_numeric_string(&"9".repeat(308)).unwrap()).collect::<Vec<_>>()),
            Value::from(vec![deep(few)]),
            Value::from((0..600).map(|number| Value::from("a".repeat(number))).collect::<Vec<_>>()),
        ]
    });
    ARRAYS.clone()
}

fn object(fields: &[(String, Value)]) -> Value {
    fields.iter().map(|(key, value)| (Value::from(key.as_str()), value.clone())).collect::<Object>().into_value()
}

fn objects() -> Vec<Value> {
    static OBJECTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let of = |value: &dyn Fn(usize) -> Value| -> Value {
            (0..MANY).map(|number| (Value::from(format!("{number}")), value(number))).collect::<Object>().into_value()
        };
        let chain = (0..99).fold(Value::from(1), |inner, _| object(&[("a".to_owned(), inner)]));
        vec![
            Value::new_object(),
            of(&Value::from),
            of(&|_| Value::from("a")),
            of(&|number| Value::from(vec![Value::from(format!("{number}"))])),
            of(&|number| object(&[("k".to_owned(), Value::from(number))])),
            chain,
        ]
    });
    OBJECTS.clone()
}

fn sets() -> Vec<Value> {
    static SETS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let set = |items: Vec<Value>| items.into_iter().collect::<Set>().into_value();
        let size = 400;
        let of_sets = |from: &dyn Fn(usize) -> usize, size: &dyn Fn(usize) -> usize, count: usize| {
            set((0..count).map(|number| set((from(number)..from(number) + size(number)).map(Value::from).collect())).collect())
        };
        let mut sets: Vec<Value> =
            arrays().iter().map(|items| set(items.as_array().unwrap().iter().cloned().collect())).collect();
        sets.push(of_sets(&|number| number, &|_| 1, MANY));
        sets.push(of_sets(&|number| number, &|_| size, MANY / size));
        sets.push(of_sets(&|_| 0, &|number| number, size));
        sets
    });
    SETS.clone()
}

fn collections() -> Vec<Value> {
    arrays().into_iter().chain(objects()).chain(sets()).chain(short_texts()).collect()
}

/// Some of each, for calls with two of them.
fn mixed() -> Vec<Value> {
    let some = |all: Vec<Value>, places: &[usize]| places.iter().map(|place| all[*place].clone()).collect::<Vec<_>>();
    let arrays = some(arrays(), &[1, 3, 7, 8, 9, 11, 12]);
    let sets = some(sets(), &[1, 3, 9, 12, 14, 15]);
    [arrays, sets, some(objects(), &[1, 4, 5])].concat()
}

fn paths() -> Vec<Value> {
    let many = vec![Value::from("a"); MANY];
    vec!["a".into(), Value::from(many), Value::from(vec![Value::from("a".repeat(LONG)); 100])]
}

fn lists_of_paths() -> Vec<Value> {
    let list = |paths: Vec<Value>| Value::from(paths);
    vec![
        list(vec![repeated("a/").into()]),
        list(vec![Value::from(vec![Value::from("a"); MANY])]),
        list((0..400).map(|length| "a/".repeat(length).into()).collect()),
        list((0..MANY).map(|number| format!("{number}/k").into()).collect()),
        list((0..MANY).map(|number| format!("a/a/{number}").into()).collect()),
        list(vec!["a/a".into(); MANY]),
        list(vec![repeated("/").into(), repeated("~1").into()]),
        list((0..500).map(|number| Value::from([vec![Value::from("a"); 500], vec![Value::from(number)]].concat())).collect()),
    ]
}

fn patches() -> Vec<Value> {
    let patch = |op: &str, path: &str| of_json(&format!(r#"[{{"op": "{op}", "path": "{path}", "value": 1}}]"#));
    vec![patch("add", "/a"), patch("remove", &repeated("/a")), patch("replace", &repeated("/a"))]
}

fn options() -> Vec<Value> {
    vec![Value::new_object(), of_json(r#"{"pretty": true}"#), object(&[("indent".to_owned(), repeated(" ").into())])]
}

fn graphs() -> Vec<Value> {
    let graph = |edges: &dyn Fn(usize) -> Value| -> Value {
        (0..MANY).map(|number| (Value::from(format!("{number}")), edges(number))).collect::<Object>().into_value()
    };
    let all = Value::from((0..MANY).map(|number| Value::from(format!("{number}"))).collect::<Vec<_>>());
    vec![graph(&|_| all.clone()), graph(&|number| vec![Value::from(format!("{}", number + 1))].into()), Value::new_object()]
}

fn networks() -> Vec<Value> {
    let list =
        |network: &dyn Fn(usize) -> String| Value::from((0..MANY).map(|number| network(number).into()).collect::<Vec<_>>());
    vec![
        list(&|number| format!("10.{}.{}.0/24", number / 256 % 256, number % 256)),
        list(&|number| format!("{:x}::/{}", number % 0xffff, 16 + number % 100)),
        list(&|number| format!("::{:x}:{:x}/127", number / 0xffff, number % 0xffff)),
        list(&|_| "10.0.0.0/8".to_owned()),
        (0..MANY).map(|number| (Value::from(number), Value::from("0.0.0.0/0"))).collect::<Object>().into_value(),
        list(&|_| "none".to_owned()),
    ]
}

fn replaced() -> Vec<Value> {
    let pairs = |count: usize, old: &dyn Fn(usize) -> String| -> Value {
        (0..count).map(|number| (Value::from(old(number)), Value::from("b"))).collect::<Object>().into_value()
    };
    vec![
        pairs(1, &|_| format!("{}b", "a".repeat(LONG / 2))),
        pairs(800, &|number| format!("{}b", "a".repeat(number))),
        pairs(MANY, &|number| format!("{number}x")),
        pairs(1, &|_| String::new()),
    ]
}

fn encoded(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn tokens() -> Vec<Value> {
    let token = |header: &str, payload: &str, signature: &[u8]| {
        Value::from(format!("{}.{}.{}", encoded(header), encoded(payload), URL_SAFE_NO_PAD.encode(signature)))
    };
    let nested = (0..12).fold("e30.e30.AA".to_owned(), |inner, _| {
        format!("{}.{}.AA", encoded(r#"{"cty":"JWT","alg":"HS256"}"#), encoded(&inner))
    });
    let long = format!(r#"{{"a":"{}"}}"#, "a".repeat(LONG));
    let mut tokens: Vec<Value> = ["RS256", "PS512", "ES256", "HS256", "EdDSA"]
        .iter()
        .flat_map(|alg| {
            [(64, "{}"), (2_048, "{}"), (64, long.as_str())]
                .map(|(bytes, payload)| token(&format!(r#"{{"alg":"{alg}"}}"#), payload, &vec![1; bytes]))
        })
        .collect();
    tokens.extend([nested.into(), token(&long, "{}", &[1]), repeated(".").into()]);
    tokens
}

fn keys() -> Vec<Value> {
    let set = |key: &str, count: usize| Value::from(format!(r#"{{"keys":[{}]}}"#, vec![key; count].join(",")));
    let rsa = format!(
        r#"{{"kty":"RSA","n":"{}","e":"{}"}}"#,
        URL_SAFE_NO_PAD.encode(vec![0xff; 2_048]),
        URL_SAFE_NO_PAD.encode([0x7f, 0xff, 0xff, 0xff])
    );
    // The generator of P-256.
    let p256 = r#"{"kty":"EC","crv":"P-256","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}"#;
    let x5c = format!(r#"{{"kty":"oct","k":"AA","x5c":[{}"AA"]}}"#, "\"MAA=\",".repeat(MANY));
    vec![
        set(&rsa, 1_000),
        set(p256, 1_000),
        set(r#"{"kty":"oct","k":"AA"}"#, MANY),
        x5c.into(),
        repeated("-----BEGIN A-----\n-----END :\n").into(),
        "secret".repeat(LONG / 6).into(),
    ]
}

fn constraints() -> Vec<Value> {
    let cert = |keys: Value| -> Value { object(&[("cert".to_owned(), keys)]) };
    keys().into_iter().map(cert).chain([object(&[("secret".to_owned(), repeated("a").into())])]).collect()
}

fn times() -> Vec<Value> {
    let of =
        |zone: &str, layout: &str| Value::from(vec![Value::from(1_000_000_000_000_000_000_i64), zone.into(), layout.into()]);
    let mut times =
        vec![Value::from(i64::MAX), Value::from(i64::MIN), of("Europe/Berlin", "RFC3339"), of(&repeated("a"), "RFC3339")];
    times.extend(["2006", "MST", ".000", "January ", ".", ".9"].map(|layout| of("UTC", &repeated(layout))));
    times
}

/// The names of builtins that policies may call here.
fn native() -> BTreeSet<&'static str> {
    let names = BUILTINS.keys().copied().chain(every_own().map(|own| own.name));
    names.filter(|name| availability(name) == Availability::Native).collect()
}

#[test]
fn every_builtin_has_a_row() {
    let mut table = BuiltinTable::new();
    let rows: Vec<_> = ROWS.iter().flat_map(|(names, kinds)| names.iter().map(|name| (*name, kinds.len()))).collect();
    let named: BTreeSet<_> = rows.iter().map(|(name, _)| *name).collect();
    assert_eq!(named.len(), rows.len(), "a builtin has two rows");
    assert_eq!(named, native());
    for (name, kinds) in rows {
        assert_eq!(table.find(name).and_then(|id| table.arity(id)), Some(kinds), "operands of {name}");
    }
}

/// All ways to take one of each kind.
fn combinations(kinds: &[Kind]) -> Vec<Vec<Value>> {
    kinds.iter().fold(vec![Vec::new()], |begun, kind| {
        let operands = kind();
        let longer = |first: &Vec<Value>| {
            operands.iter().map(|operand| [first.as_slice(), std::slice::from_ref(operand)].concat()).collect::<Vec<_>>()
        };
        begun.iter().flat_map(longer).collect()
    })
}

/// So many ways that every operand of each kind is in one of them.
fn each_once(kinds: &[Kind]) -> Vec<Vec<Value>> {
    let all: Vec<Vec<Value>> = kinds.iter().map(|kind| kind()).collect();
    let most = all.iter().map(Vec::len).max().unwrap_or_default();
    (0..most).map(|way| all.iter().map(|operands| operands[way % operands.len()].clone()).collect()).collect()
}

/// What this thread has taken of a processor: other than a clock's time, it is the same on a machine that has much else to do.
fn processor_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

/// How long a call takes.
fn duration(name: &str, operands: &[Value]) -> Duration {
    let mut table = BuiltinTable::new();
    let id = table.find(name).unwrap();
    let began = processor_time();
    let circumstances = Circumstances::now(Spelled::default()).until(Instant::now() + LIMIT);
    if table.check(id, operands).is_ok() {
        let _ = table.call(id, operands, &circumstances);
    }
    processor_time().saturating_sub(began)
}

/// What each operand is and how large, and not the operand: some share one part many times.
fn shown(operands: &[Value]) -> String {
    let one = |operand: &Value| match operand {
        Value::String(text) => format!("{:?}... of {} bytes", text.chars().take(20).collect::<String>(), text.len()),
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Set(items) => format!("a set of {}", items.len()),
        Value::Object(members) => format!("an object of {}", members.len()),
        scalar => scalar.to_string(),
    };
    operands.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Make every call, and see that it ends soon after its limit.
fn ends_soon(ways: fn(&[Kind]) -> Vec<Vec<Value>>) {
    let calls = move || {
        let mut late = Vec::new();
        for (names, kinds) in ROWS {
            for operands in ways(kinds) {
                for name in *names {
                    let took = duration(name, &operands);
                    if took >= AT_MOST {
                        late.push(format!("{name} took {took:?} for {}", shown(&operands)));
                    }
                }
            }
        }
        assert!(late.is_empty(), "{}", late.join("\n"));
    };
    thread::Builder::new().stack_size(STACK).spawn(calls).unwrap().join().unwrap();
}

#[test]
fn a_call_ends_soon_after_its_limit_whatever_one_operand_is() {
    ends_soon(each_once);
}

#[test]
#[ignore = "minutes of a processor; `make long-calls` runs it"]
fn every_call_ends_soon_after_its_limit() {
    ends_soon(combinations);
}
