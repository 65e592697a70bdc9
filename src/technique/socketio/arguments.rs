//! The arguments of an event of any kind: JSON that may contain binary data anywhere.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeTuple, Serializer};

/// All arguments of an event, as a tuple: the library reads a tuple as the list of arguments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arguments(pub Vec<Argument>);

/// An argument. Objects keep the order of their keys.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    Binary(Vec<u8>),
    List(Vec<Argument>),
    Object(Vec<(String, Argument)>),
}

impl Default for Argument {
    fn default() -> Argument {
        Argument::Object(Vec::new())
    }
}

impl Argument {
    /// The value of a key, if this is an object.
    pub fn at(&self, key: &str) -> Option<&Argument> {
        let Argument::Object(entries) = self else {
            return None;
        };
        let entry = entries.iter().find(|(name, _)| name == key)?;
        Some(&entry.1)
    }
}

impl Serialize for Arguments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for argument in &self.0 {
            tuple.serialize_element(argument)?;
        }
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Arguments, D::Error> {
        // The length 0 is ignored, because JSON marks where a list ends.
        match deserializer.deserialize_tuple(0, Any)? {
            Argument::List(arguments) => Ok(Arguments(arguments)),
            _ => Err(D::Error::custom("no list of arguments")),
        }
    }
}

impl Serialize for Argument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Argument::Null => serializer.serialize_unit(),
            Argument::Bool(value) => serializer.serialize_bool(*value),
            Argument::Unsigned(value) => serializer.serialize_u64(*value),
            Argument::Signed(value) => serializer.serialize_i64(*value),
            Argument::Float(value) => serializer.serialize_f64(*value),
            Argument::Text(value) => serializer.serialize_str(value),
            Argument::Binary(value) => serializer.serialize_bytes(value),
            Argument::List(values) => serializer.collect_seq(values),
            Argument::Object(entries) => serializer.collect_map(entries.iter().map(|(k, v)| (k, v))),
        }
    }
}

impl<'de> Deserialize<'de> for Argument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Argument, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Argument;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON, or binary data")
    }

    fn visit_unit<E: Error>(self) -> Result<Argument, E> {
        Ok(Argument::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Argument, E> {
        Ok(Argument::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Argument, E> {
        Ok(Argument::Unsigned(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Argument, E> {
        Ok(Argument::Signed(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Argument, E> {
        Ok(Argument::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Argument, E> {
        Ok(Argument::Text(value.into()))
    }

    fn visit_byte_buf<E: Error>(self, value: Vec<u8>) -> Result<Argument, E> {
        Ok(Argument::Binary(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Argument, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(Argument::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Argument, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Argument::Object(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_comes_back_as_it_went() {
        let json = r#"[null,true,7,-7,0.5,"é",[[]],{"b":1,"a":{}}]"#;
        let arguments: Arguments = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&arguments).unwrap(), json);
    }

    #[test]
    fn what_is_under_a_key_is_found_where_there_is_one() {
        let at = |json| {
            serde_json::from_str::<Argument>(json)
                .unwrap()
                .at("after")
                .cloned()
        };
        assert_eq!(at(r#"{"token":"x","after":3}"#), Some(Argument::Unsigned(3)));
        for none in ["{}", "[]", "3", r#"{"at":3}"#, r#""after""#] {
            assert_eq!(at(none), None, "{none}");
        }
    }
}
