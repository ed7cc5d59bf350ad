//! What each verb does: the commands with which it begins, and what its answers must be.

use std::collections::BTreeMap;

use card::Status;
use card::gp::{HostChallenge, initialize_update};
use cert::request::{Request as CertificationRequest, RequestInfo};
use cert::{Certificate, Curve, DistinguishedName, EcdsaSignature};
use profile::{
    Detail, Dialect, Object, Plan, Rendered, Renderer, Step, Value, Variables, Verb, file_content,
    pin_field,
};
use zeroize::Zeroizing;

use crate::action::Random;
use crate::executor::{Answers, digest_of};
use crate::fault::Fault;
use crate::request::Request;

/// What a step works with.
pub(crate) struct StepContext<'a, 'r> {
    pub(crate) plan: &'a Plan,
    pub(crate) variables: &'a mut Variables,
    pub(crate) subjects: &'a BTreeMap<String, Vec<u8>>,
    pub(crate) random: &'a mut Random,
    pub(crate) renderer: Renderer<'r>,
}

/// How a step begins.
pub(crate) enum Begun {
    /// With these commands.
    Commands(Vec<Rendered>),
    /// With a question to the centre, which gives the command.
    ReplaceKeys { new: String },
}

/// What a finished step leaves.
#[derive(Default)]
pub(crate) struct Finished {
    /// For the journal.
    pub(crate) evidence: BTreeMap<&'static str, String>,
    /// For the centre.
    pub(crate) request: Option<Request>,
}

/// Begins a step.
pub(crate) fn begin(
    step: &Step,
    object: &Object,
    context: &mut StepContext<'_, '_>,
) -> Result<Begun, Fault> {
    let spell = |source| Fault::Render {
        step: step.name(),
        source,
    };
    let name = &step.object;
    let renderer = &context.renderer;
    let commands = match step.verb {
        Verb::Install => renderer.operation(Dialect::Install, object, &[]),
        Verb::WriteFile => {
            let content = content(step, object, context)?;
            renderer.write_file(object, &content)
        }
        Verb::CheckFile => {
            let content = content(step, object, context)?;
            renderer.read_file(object, content.len())
        }
        Verb::CreatePin => renderer.operation(Dialect::CreatePin, object, &[]),
        Verb::SetTemporaryPin => {
            let Detail::Pin(rules) = object.detail else {
                return Err(plan_fault(step, "it is not a PIN"));
            };
            let digits = random_digits(usize::from(rules.stored), context.random);
            let field = pin_field(object, &digits).map_err(spell)?;
            context
                .variables
                .set(format!("pin.{name}.value"), field.clone());
            renderer.operation(Dialect::SetPin, object, &[("pin.value", field)])
        }
        Verb::VerifyPin => {
            let field = context
                .variables
                .bytes(&format!("pin.{name}.value"))
                .unwrap_or_default();
            renderer.operation(
                Dialect::VerifyPin,
                object,
                &[("pin.value", Value::bytes(field))],
            )
        }
        Verb::CheckTries => renderer.operation(Dialect::ReadTries, object, &[]),
        Verb::GenerateKey => renderer.operation(Dialect::GenerateKey, object, &[]),
        Verb::RequestCertificate => {
            let request = request_info(step, object, context)?;
            renderer.operation(
                Dialect::Sign,
                object,
                &[("digest", Value::bytes(request.digest()))],
            )
        }
        Verb::CheckKey => {
            let mut challenge = vec![0; 32];
            (context.random)(&mut challenge);
            let hashed = curve_of(object).hash().digest(&challenge);
            context
                .variables
                .set(format!("challenge.{name}"), Value::bytes(challenge));
            renderer.operation(Dialect::Sign, object, &[("digest", Value::bytes(hashed))])
        }
        Verb::SetState => renderer.operation(Dialect::SetState, object, &[]),
        Verb::CheckRefused => {
            let Some(set) = context.plan.chip.channel.keys.get(name) else {
                return Err(plan_fault(step, "the chip has no such key set"));
            };
            let mut host = [0; 8];
            (context.random)(&mut host);
            let command = initialize_update(set.version, &HostChallenge::new(host));
            // Any answer will do here; `finish` says which is the right one.
            Ok(vec![Rendered {
                command,
                expect: Vec::new(),
                take: Vec::new(),
            }])
        }
        Verb::ReplaceKeys => return Ok(Begun::ReplaceKeys { new: name.clone() }),
        Verb::SetHolderPin => return Err(plan_fault(step, "it belongs into a sealed stage")),
    };
    commands.map(Begun::Commands).map_err(spell)
}

/// Ends a step whose commands were all answered as expected.
pub(crate) fn finish(
    step: &Step,
    object: &Object,
    answers: &Answers,
    context: &mut StepContext<'_, '_>,
) -> Result<Finished, Fault> {
    let name = &step.object;
    let mut finished = Finished::default();
    let taken = |result: &str| {
        answers.taken.get(result).ok_or_else(|| Fault::NoResult {
            step: step.name(),
            result: result.to_owned(),
        })
    };
    match step.verb {
        Verb::WriteFile => {
            let content = content(step, object, context)?;
            finished.evidence.insert("sha256", digest_of(&content));
        }
        Verb::CheckFile => {
            let content = content(step, object, context)?;
            if answers.data[..] != content[..] {
                let same = answers
                    .data
                    .iter()
                    .zip(content.iter())
                    .take_while(|(a, b)| a == b)
                    .count();
                return Err(Fault::ReadBack {
                    file: name.clone(),
                    offset: same,
                });
            }
        }
        Verb::CheckTries => {
            let found = match taken("tries")?.as_slice() {
                [found] => *found,
                _ => {
                    return Err(Fault::NoResult {
                        step: step.name(),
                        result: "tries".into(),
                    });
                }
            };
            let expected = context
                .plan
                .chip
                .pin_rules(name)
                .map_or(0, |rules| rules.tries);
            if found != expected {
                return Err(Fault::Tries {
                    pin: object.title.clone(),
                    found,
                    expected,
                });
            }
        }
        Verb::GenerateKey => {
            let public = taken("public")?;
            finished
                .evidence
                .insert("public_key_sha256", digest_of(public));
            context
                .variables
                .set(format!("key.{name}.public"), Value::Bytes(public.clone()));
        }
        Verb::RequestCertificate => {
            let unproved = |error: cert::request::RequestError| Fault::Certificate {
                key: name.clone(),
                cause: format!("the chip's proof of possession cannot be used: {error}"),
            };
            let info = request_info(step, object, context)?;
            let request = info.assemble(taken("signature")?).map_err(unproved)?;
            CertificationRequest::parse_and_verify(&request).map_err(unproved)?;
            let profile = context
                .plan
                .keys
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, profile)| profile.clone());
            let profile = profile
                .ok_or_else(|| plan_fault(step, "the document has no certificate for it"))?;
            finished.request = Some(Request::Certify {
                key: name.clone(),
                profile,
                request,
            });
        }
        Verb::CheckKey => {
            let certificate = context
                .variables
                .bytes(&format!("certificate.{name}"))
                .unwrap_or_default();
            let challenge = context
                .variables
                .bytes(&format!("challenge.{name}"))
                .unwrap_or_default();
            let certificate =
                Certificate::parse(certificate).map_err(|error| Fault::Certificate {
                    key: name.clone(),
                    cause: error.to_string(),
                })?;
            let curve = curve_of(object);
            let verified =
                EcdsaSignature::from_raw(curve, taken("signature")?).and_then(|signature| {
                    certificate
                        .public_key()
                        .verify_message(curve.hash(), challenge, &signature)
                });
            if verified.is_err() {
                return Err(Fault::Signature { key: name.clone() });
            }
        }
        Verb::CheckRefused => match answers.last {
            // No other refusal proves that the version is gone (GP 2.3 §E.5.1.6).
            Some(Status::REFERENCE_NOT_FOUND) => {}
            Some(Status::OK) | None => {
                return Err(Fault::OldKeysTaken {
                    key_set: name.clone(),
                });
            }
            Some(other) => {
                return Err(Fault::Refused {
                    step: step.name(),
                    header: "INITIALIZE UPDATE".into(),
                    status: context.plan.chip.meaning(other),
                });
            }
        },
        Verb::ReplaceKeys => {
            let expected = context.variables.bytes("put_key.kcvs").unwrap_or_default();
            // PUT KEY answers the new version and the key check values (GP 2.3 §11.8.3.1).
            let version = context
                .plan
                .chip
                .channel
                .keys
                .get(name)
                .map_or(0, |set| set.version);
            if answers.data.split_first() != Some((&version, expected)) {
                return Err(Fault::KeyCheckValue {
                    key_set: name.clone(),
                });
            }
            finished.evidence.insert("kcv", hex::encode_upper(expected));
        }
        Verb::Install
        | Verb::CreatePin
        | Verb::SetTemporaryPin
        | Verb::SetHolderPin
        | Verb::VerifyPin
        | Verb::SetState => {}
    }
    Ok(finished)
}

fn content(
    step: &Step,
    object: &Object,
    context: &StepContext<'_, '_>,
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    file_content(&context.plan.chip, object, context.variables).map_err(|source| Fault::Render {
        step: step.name(),
        source,
    })
}

fn plan_fault(step: &Step, cause: &str) -> Fault {
    Fault::Plan {
        step: step.name(),
        cause: cause.to_owned(),
    }
}

fn curve_of(object: &Object) -> Curve {
    match object.detail {
        Detail::Key {
            curve: profile::Curve::P256,
            ..
        } => Curve::P256,
        _ => Curve::P384,
    }
}

fn request_info(
    step: &Step,
    object: &Object,
    context: &StepContext<'_, '_>,
) -> Result<RequestInfo, Fault> {
    let name = &step.object;
    let Some(subject) = context.subjects.get(name) else {
        return Err(plan_fault(step, "no subject was given for its certificate"));
    };
    let subject = DistinguishedName::from_der(subject).map_err(|error| {
        plan_fault(
            step,
            &format!("the subject of its certificate cannot be read: {error}"),
        )
    })?;
    let point = context
        .variables
        .bytes(&format!("key.{name}.public"))
        .unwrap_or_default();
    RequestInfo::new(&subject, curve_of(object), point).map_err(|error| Fault::Certificate {
        key: name.clone(),
        cause: format!("the chip's public key cannot be used: {error}"),
    })
}

/// Returns random ASCII digits without bias: bytes from 250 up are thrown away.
fn random_digits(count: usize, random: &mut Random) -> Zeroizing<Vec<u8>> {
    let mut digits = Zeroizing::new(Vec::with_capacity(count));
    let mut byte = [0];
    while digits.len() < count {
        random(&mut byte);
        if byte[0] < 250 {
            digits.push(b'0' + byte[0] % 10);
        }
    }
    digits
}
