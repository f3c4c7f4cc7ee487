//! Lists: `["a", "b"]` in a file, `a,b` in the environment.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};

/// Reads a list of values that parse from text; an empty text is an empty list.
pub(crate) fn deserialize<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    deserializer.deserialize_any(Items(PhantomData))
}

struct Items<T>(PhantomData<T>);

impl<'de, T> Visitor<'de> for Items<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a list: ["a", "b"], or a text like "a,b""#)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(parse).collect()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<String>()? {
            list.push(parse(item.trim())?);
        }
        Ok(list)
    }
}

fn parse<T: FromStr, E: Error>(item: &str) -> Result<T, E>
where
    T::Err: fmt::Display,
{
    item.parse().map_err(|error| E::custom(format!("has an item that cannot be used: {item:?}: {error}")))
}
