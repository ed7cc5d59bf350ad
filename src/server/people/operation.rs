//! An operation: what it takes, what it gives, who may, and what it leaves in the log.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::http::Method;
use central::Thing;
use document::Act;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::people::answer::Answer;
use crate::people::call::Call;
use crate::people::form::Form;
use crate::problem::Problem;

/// The media type of what people send and get.
pub(crate) const JSON: &str = "application/json";

/// Who may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whoever asks: it is how people come in.
    Anybody,
    /// Whoever is signed in.
    Session,
    /// Whoever has this right.
    Right(Act),
    /// Whoever has one of these rights.
    Either(Act, Act),
}

/// What it leaves in the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trace {
    /// Nothing: it is everybody's to know.
    Nothing,
    /// The act's own entry, whether it is done or refused.
    Act(&'static str),
    /// Reading that shows no holder: the entry of a refusal.
    Refusals(&'static str),
    /// Reading of a holder's data: an entry each time.
    Read(&'static str),
}

impl Trace {
    /// Returns how the log calls it.
    pub(crate) fn action(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Act(action) | Self::Refusals(action) | Self::Read(action) => Some(action),
        }
    }
}

/// A part of the path, or a field of the query.
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) schema: fn(&mut SchemaGenerator) -> Schema,
    pub(crate) example: Value,
}

/// A body.
pub(crate) struct Body {
    pub(crate) media: &'static str,
    /// The most bytes, where that is not what all requests have.
    pub(crate) most: Option<usize>,
    pub(crate) form: Form,
    pub(crate) example: Value,
    /// Tells whether the example is what the operation takes.
    #[cfg(test)]
    pub(crate) fits: fn(&Value) -> bool,
}

/// A successful answer.
pub(crate) struct Given {
    pub(crate) status: u16,
    pub(crate) what: &'static str,
    pub(crate) body: Option<Body>,
    /// Other media types that it may be asked for in.
    pub(crate) also: &'static [&'static str],
    /// Whether it has an `ETag`.
    pub(crate) tagged: bool,
}

type Running = Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send>>;

/// An operation.
pub(crate) struct Operation {
    pub(crate) id: &'static str,
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) access: Access,
    pub(crate) trace: Trace,
    /// The kind of thing that its log entries are about, for reading.
    pub(crate) kind: &'static str,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) query: Vec<Parameter>,
    pub(crate) takes: Option<Body>,
    pub(crate) gives: Given,
    /// Whether it takes an `Idempotency-Key`.
    pub(crate) once: bool,
    /// Whether it takes a second person, whom the body names as `witness`.
    pub(crate) witnessed: bool,
    /// What an `If-Match` is about, and the part of the path that names it; none where it takes none.
    pub(crate) conditional: Option<(Thing, &'static str)>,
    /// Whether the state of the thing may forbid it.
    pub(crate) conflicts: bool,
    /// Whether what it takes may have faults of its own (422).
    pub(crate) judged: bool,
    pub(crate) handler: Arc<dyn Fn(Call) -> Running + Send + Sync>,
}

impl Operation {
    fn new(method: Method, path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            method,
            path,
            subject: "",
            summary,
            access: Access::Session,
            trace: Trace::Nothing,
            kind: "central",
            parameters: Vec::new(),
            query: Vec::new(),
            takes: None,
            gives: Given {
                status: 204,
                what: "It is done.",
                body: None,
                also: &[],
                tagged: false,
            },
            once: false,
            witnessed: false,
            conditional: None,
            conflicts: false,
            judged: false,
            handler: Arc::new(|_| Box::pin(async { Ok(Answer::nothing()) })),
        }
    }

    pub(crate) fn get(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Method::GET, path, id, summary)
    }

    pub(crate) fn post(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Method::POST, path, id, summary)
    }

    pub(crate) fn put(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Method::PUT, path, id, summary)
    }

    pub(crate) fn delete(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Method::DELETE, path, id, summary)
    }

    /// Opens it to whoever asks.
    pub(crate) fn for_anybody(mut self, trace: Trace) -> Self {
        (self.access, self.trace) = (Access::Anybody, trace);
        self
    }

    /// Opens it to whoever is signed in.
    pub(crate) fn for_session(mut self, trace: Trace) -> Self {
        (self.access, self.trace) = (Access::Session, trace);
        self
    }

    /// An act: it judges the right itself, and leaves this entry about a thing of this kind.
    pub(crate) fn act(mut self, right: Act, action: &'static str, kind: &'static str) -> Self {
        (self.access, self.trace) = (Access::Right(right), Trace::Act(action));
        self.kind = kind;
        self.conflicts = true;
        self
    }

    /// Reading that shows no holder.
    pub(crate) fn read(mut self, right: Act, action: &'static str, kind: &'static str) -> Self {
        (self.access, self.trace) = (Access::Right(right), Trace::Refusals(action));
        self.kind = kind;
        self
    }

    /// Reading of a holder's data.
    pub(crate) fn personal(mut self, right: Act, action: &'static str, kind: &'static str) -> Self {
        (self.access, self.trace) = (Access::Right(right), Trace::Read(action));
        self.kind = kind;
        self
    }

    pub(crate) fn parameter<T: JsonSchema>(
        mut self,
        name: &'static str,
        what: &'static str,
        example: impl Into<Value>,
    ) -> Self {
        self.parameters.push(Parameter {
            name,
            what,
            schema: |generator| generator.subschema_for::<T>(),
            example: example.into(),
        });
        self
    }

    pub(crate) fn field<T: JsonSchema>(
        mut self,
        name: &'static str,
        what: &'static str,
        example: impl Into<Value>,
    ) -> Self {
        self.query.push(Parameter {
            name,
            what,
            schema: |generator| generator.subschema_for::<T>(),
            example: example.into(),
        });
        self
    }

    /// Takes JSON of a type, of which this is an example.
    pub(crate) fn takes<T: JsonSchema + DeserializeOwned>(self, example: Value) -> Self {
        self.takes_as::<T>(JSON, example)
    }

    /// Takes a body of another media type.
    pub(crate) fn takes_as<T: JsonSchema + DeserializeOwned>(
        mut self,
        media: &'static str,
        example: Value,
    ) -> Self {
        self.takes = Some(Body {
            media,
            most: None,
            form: Form::new(|generator| generator.subschema_for::<T>()),
            example,
            #[cfg(test)]
            fits: |value| serde_json::from_value::<T>(value.clone()).is_ok(),
        });
        self
    }

    /// Takes a body of at most so many bytes.
    pub(crate) fn at_most(mut self, bytes: usize) -> Self {
        if let Some(body) = &mut self.takes {
            body.most = Some(bytes);
        }
        self
    }

    /// Gives it as another media type.
    pub(crate) fn given_as(mut self, media: &'static str) -> Self {
        if let Some(body) = &mut self.gives.body {
            body.media = media;
        }
        self
    }

    /// Gives JSON of a type, of which this is an example.
    pub(crate) fn gives<T: JsonSchema>(
        mut self,
        status: u16,
        what: &'static str,
        example: Value,
    ) -> Self {
        self.gives = Given {
            status,
            what,
            body: Some(Body {
                media: JSON,
                most: None,
                form: Form::new(|generator| generator.subschema_for::<T>()),
                example,
                #[cfg(test)]
                fits: |_| true,
            }),
            also: self.gives.also,
            tagged: self.gives.tagged,
        };
        self
    }

    /// It may be asked for in other media types, as text.
    pub(crate) fn also(mut self, media: &'static [&'static str]) -> Self {
        self.gives.also = media;
        self
    }

    /// Who has this right may, too.
    pub(crate) fn or(mut self, other: Act) -> Self {
        if let Access::Right(right) = self.access {
            self.access = Access::Either(right, other);
        }
        self
    }

    /// Its answer has a tag.
    pub(crate) fn tagged(mut self) -> Self {
        self.gives.tagged = true;
        self
    }

    /// It takes an `Idempotency-Key`.
    pub(crate) fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// It takes a second person, whom the body names as `witness`: it is done once they confirmed
    /// it in a session of their own.
    pub(crate) fn witnessed(mut self) -> Self {
        self.witnessed = true;
        self
    }

    /// It takes `If-Match` about the thing that a part of the path names.
    pub(crate) fn conditional(mut self, thing: Thing, part: &'static str) -> Self {
        self.conditional = Some((thing, part));
        self
    }

    /// The state of the thing may forbid it.
    pub(crate) fn conflicting(mut self) -> Self {
        self.conflicts = true;
        self
    }

    /// What it takes may have faults of its own.
    pub(crate) fn judged(mut self) -> Self {
        self.judged = true;
        self
    }

    /// Does it.
    pub(crate) fn runs<F>(mut self, handler: impl Fn(Call) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        self.handler = Arc::new(move |call| Box::pin(handler(call)));
        self
    }
}

/// Says what subject operations are of.
pub(crate) fn of(subject: &'static str, operations: Vec<Operation>) -> Vec<Operation> {
    let named = operations.into_iter().map(|operation| Operation {
        subject,
        ..operation
    });
    named.collect()
}
