//! What each verb does: the commands with which it begins, and what its answers must be.

use std::collections::BTreeMap;

use card::Status;
use card::gp::{delete_key, initialize_update, parse_delete};
use cert::request::{Request as CertificationRequest, RequestInfo};
use cert::{
    Certificate, DistinguishedName, Hash, PublicKey, digest_info, emsa_pkcs1_v1_5, emsa_pss,
};
use profile::{
    Detail, Dialect, KeyRules, Object, PinRules, PinValues, Plan, Rendered, Renderer, RsaPadding,
    Step, Value, Variables, Verb, set_public_key,
};
use zeroize::Zeroizing;

use crate::action::Random;
use crate::executor::{Answers, digest_of, host_challenge};
use crate::fault::Fault;
use crate::request::Request;
use crate::resume::PUBLIC_KEY;

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
    /// With a question to the centre, which gives the commands.
    PutKeys { new: String, adds: bool },
}

/// What a finished step leaves.
#[derive(Default)]
pub(crate) struct Finished {
    /// For the journal.
    pub(crate) evidence: BTreeMap<&'static str, String>,
    /// For the centre.
    pub(crate) request: Option<Request>,
}

/// Returns whether a step has nothing to do: its content is empty, and may be.
///
/// # Errors
/// [`Fault::Render`] where the content cannot be told.
pub(crate) fn has_nothing(
    step: &Step,
    object: &Object,
    plan: &Plan,
    variables: &Variables,
) -> Result<bool, Fault> {
    match object.optional {
        true => content(step, object, plan, variables).map(|content| content.is_empty()),
        false => Ok(false),
    }
}

/// Begins a step; `is_again` where it was begun before, and that run was cut off.
pub(crate) fn begin(
    step: &Step,
    (object, is_again): (&Object, bool),
    context: &mut StepContext<'_, '_>,
) -> Result<Begun, Fault> {
    let spell = |source| Fault::Render {
        step: step.name(),
        source,
    };
    let name = &step.object;
    let renderer = context.renderer.clone();
    let operation = |operation: Dialect, values: &[(&str, Value)]| {
        renderer.operation_in(operation, object, values, context.variables)
    };
    let commands = match step.verb {
        Verb::Install => operation(Dialect::Install, &[]),
        Verb::WriteFile | Verb::PutData | Verb::CheckFile | Verb::CheckData => {
            let content = content(step, object, context.plan, context.variables)?;
            match step.verb {
                Verb::WriteFile | Verb::PutData => {
                    renderer.write(object, &content, context.variables)
                }
                _ => renderer.read(object, content.len(), context.variables),
            }
        }
        Verb::CreatePin => operation(Dialect::CreatePin, &[]),
        Verb::SetTemporaryPin => {
            let rules = pin_rules(step, object)?;
            let digits = random_digits(usize::from(rules.stored), context.random);
            let values = pin_values(context, object, rules, &digits).map_err(spell)?;
            let setting = step.operation.unwrap_or(Dialect::SetPin);
            let commands = renderer.operation_in(setting, object, &values, context.variables);
            let digits = Value::Bytes(digits);
            context.variables.set(format!("pin.{name}.digits"), digits);
            commands
        }
        Verb::VerifyPin => {
            let rules = pin_rules(step, object)?;
            let digits = known_digits(context.variables, name);
            let values = pin_values(context, object, rules, &digits).map_err(spell)?;
            renderer.operation_in(Dialect::VerifyPin, object, &values, context.variables)
        }
        Verb::CheckTries => operation(Dialect::ReadTries, &[]),
        Verb::GenerateKey => operation(Dialect::GenerateKey, &[]).and_then(|mut commands| {
            commands.extend(operation(Dialect::ReadPublicKey, &[])?);
            Ok(commands)
        }),
        Verb::RequestCertificate => {
            let request = request_info(step, object, context)?;
            sign(object, context, request.to_be_signed())
        }
        Verb::CheckKey => {
            // The registration authority's, which came with the certificate.
            let challenge = challenge_of(context.variables, name);
            sign(object, context, &challenge)
        }
        Verb::SetState => operation(Dialect::SetState, &[]),
        Verb::CheckRefused => {
            let version = version(step, context.plan)?;
            let protocol = context.plan.chip.channel.protocol(name);
            let host =
                host_challenge(protocol, context.random).map_err(|source| Fault::Channel {
                    step: step.name(),
                    source,
                })?;
            // Any answer will do here; `finish` says which is the right one.
            Ok(vec![Rendered::asking(initialize_update(version, &host))])
        }
        Verb::RemoveKeys => {
            let version = version(step, context.plan)?;
            Ok(vec![Rendered::plain(delete_key(version))])
        }
        Verb::AddKeys | Verb::ReplaceKeys => {
            return Ok(Begun::PutKeys {
                new: name.clone(),
                adds: step.verb == Verb::AddKeys,
            });
        }
        Verb::SetHolderPin | Verb::SetIssuerPin | Verb::ImportKey => {
            return Err(plan_fault(step, "it belongs into a sealed stage"));
        }
        Verb::Inspect => return Err(plan_fault(step, "it has no commands of its own")),
    };
    let commands = match is_again {
        true => commands.and_then(|commands| again(step, object, commands, context)),
        false => commands,
    };
    commands.map(Begun::Commands).map_err(spell)
}

/// Returns the commands of a step that was begun before: the chip may say that it has done it. A file
/// that is there already is selected first, which making it would do.
fn again(
    step: &Step,
    object: &Object,
    commands: Vec<Rendered>,
    context: &StepContext<'_, '_>,
) -> Result<Vec<Rendered>, profile::RenderError> {
    let known = context.plan.chip.again(step.verb).unwrap_or_default();
    let mut commands = commands;
    for command in &mut commands {
        // What any answer will do for is judged where the step ends.
        if !command.expect.is_empty() {
            command.expect.extend(known);
        }
    }
    if step.verb == Verb::WriteFile {
        let made = context.plan.chip.commands_for(Dialect::CreateFile, object);
        let select =
            (context.renderer).operation_in(Dialect::SelectFile, object, &[], context.variables)?;
        let rest = commands.split_off(made.min(commands.len()));
        commands.extend(select);
        commands.extend(rest);
    }
    Ok(commands)
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
        Verb::WriteFile | Verb::PutData => {
            let content = content(step, object, context.plan, context.variables)?;
            finished.evidence.insert("sha256", digest_of(&content));
        }
        Verb::CheckFile | Verb::CheckData => {
            let content = content(step, object, context.plan, context.variables)?;
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
            let expected = pin_rules(step, object)?.tries;
            if found != expected {
                return Err(Fault::Tries {
                    pin: object.title.clone(),
                    found,
                    expected,
                });
            }
        }
        Verb::GenerateKey => {
            let public = public_key(step, object, answers)?;
            let unusable = |cause: String| Fault::Certificate {
                key: name.clone(),
                cause: format!("the chip's public key cannot be used: {cause}"),
            };
            set_public_key(context.variables, name, &public)
                .map_err(|error| unusable(error.to_string()))?;
            let spki = context.variables.bytes(&format!("key.{name}.spki"));
            let spki = spki.unwrap_or_default();
            finished
                .evidence
                .insert("public_key_sha256", digest_of(spki));
            finished
                .evidence
                .insert(PUBLIC_KEY, hex::encode_upper(spki));
        }
        Verb::RequestCertificate => {
            let unproved = |error: cert::request::RequestError| Fault::Certificate {
                key: name.clone(),
                cause: format!("the chip's proof of possession cannot be used: {error}"),
            };
            let rules = key_rules(step, object)?;
            let info = request_info(step, object, context)?;
            let signature = rules.plain_signature(taken("signature")?);
            let request = info
                .assemble(&signature.ok_or_else(|| Fault::Signature { key: name.clone() })?)
                .map_err(unproved)?;
            match rules.hash {
                Hash::Sha1 => CertificationRequest::parse_and_verify_allowing_sha1(&request),
                _ => CertificationRequest::parse_and_verify(&request),
            }
            .map_err(unproved)?;
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
            let certificate =
                Certificate::parse(certificate).map_err(|error| Fault::Certificate {
                    key: name.clone(),
                    cause: error.to_string(),
                })?;
            let rules = key_rules(step, object)?;
            let challenge = challenge_of(context.variables, name);
            let signature = taken("signature")?;
            if !rules.verifies(certificate.public_key(), &challenge, signature) {
                return Err(Fault::Signature { key: name.clone() });
            }
            finished.request = Some(Request::Prove {
                key: name.clone(),
                signature: signature.to_vec(),
            });
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
        Verb::AddKeys | Verb::ReplaceKeys => {
            // PUT KEY answers the new version and the key check values (GP 2.3 §11.8.3.1).
            let expected = context.variables.bytes("put_key.answer");
            if expected.is_some_and(|expected| answers.data[..] != *expected) {
                return Err(Fault::KeyCheckValue {
                    key_set: name.clone(),
                });
            }
            let kcv = context.variables.bytes("put_key.kcv").unwrap_or_default();
            finished.evidence.insert("kcv", hex::encode_upper(kcv));
        }
        Verb::RemoveKeys => {
            parse_delete(&answers.data).map_err(|_| Fault::NoResult {
                step: step.name(),
                result: "delete confirmation".into(),
            })?;
        }
        Verb::Install
        | Verb::CreatePin
        | Verb::SetTemporaryPin
        | Verb::SetHolderPin
        | Verb::SetIssuerPin
        | Verb::ImportKey
        | Verb::VerifyPin
        | Verb::Inspect
        | Verb::SetState => {}
    }
    Ok(finished)
}

fn content(
    step: &Step,
    object: &Object,
    plan: &Plan,
    variables: &Variables,
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    profile::content(&plan.chip, object, variables).map_err(|source| Fault::Render {
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

fn pin_rules<'a>(step: &Step, object: &'a Object) -> Result<&'a PinRules, Fault> {
    match &object.detail {
        Detail::Pin(rules) => Ok(rules),
        _ => Err(plan_fault(step, "it is not a PIN")),
    }
}

fn key_rules<'a>(step: &Step, object: &'a Object) -> Result<&'a KeyRules, Fault> {
    match &object.detail {
        Detail::Key(rules) => Ok(rules),
        _ => Err(plan_fault(step, "it is not a key")),
    }
}

fn version(step: &Step, plan: &Plan) -> Result<u8, Fault> {
    match plan.chip.channel.keys.get(&step.object) {
        Some(set) => Ok(set.version),
        None => Err(plan_fault(step, "the chip has no such key set")),
    }
}

/// Returns what a key is to sign under its certificate; nothing where no certificate came.
fn challenge_of(variables: &Variables, key: &str) -> Vec<u8> {
    let challenge = variables.bytes(&challenge_variable(key));
    challenge.unwrap_or_default().to_vec()
}

/// Returns the variable in which a key's challenge stands.
pub(crate) fn challenge_variable(key: &str) -> String {
    format!("challenge.{key}")
}

/// Returns the digits that this personalization knows of a PIN; none where it knows none.
pub(crate) fn known_digits(variables: &Variables, pin: &str) -> Zeroizing<Vec<u8>> {
    let digits = variables.bytes(&format!("pin.{pin}.digits"));
    Zeroizing::new(digits.unwrap_or_default().to_vec())
}

/// Returns the variables of an operation on a PIN.
fn pin_values(
    context: &StepContext<'_, '_>,
    pin: &Object,
    rules: &PinRules,
    digits: &[u8],
) -> Result<Vec<(&'static str, Value)>, profile::RenderError> {
    let current = known_digits(context.variables, &pin.name);
    let puk = rules.puk.as_ref().and_then(|name| {
        let puk = context.plan.chip.object(profile::ObjectKind::Pin, name)?;
        Some((puk, known_digits(context.variables, name)))
    });
    PinValues {
        digits,
        current: (!current.is_empty()).then_some(&current[..]),
        puk: puk
            .as_ref()
            .filter(|(_, digits)| !digits.is_empty())
            .map(|(puk, digits)| (*puk, &digits[..])),
    }
    .variables(pin)
}

/// Renders the signing of a message: with the key's PIN just before, where the key wants that.
fn sign(
    key: &Object,
    context: &mut StepContext<'_, '_>,
    message: &[u8],
) -> Result<Vec<Rendered>, profile::RenderError> {
    let unfit = |fault: &str| profile::RenderError::Function {
        function: "sign",
        fault: fault.to_owned(),
    };
    let Detail::Key(rules) = &key.detail else {
        return Err(unfit("it is not a key"));
    };
    let mut commands = Vec::new();
    if let Some(name) = rules.pin.as_ref().filter(|_| rules.consent) {
        let pin = context.plan.chip.object(profile::ObjectKind::Pin, name);
        let digits = known_digits(context.variables, name);
        if let Some(pin) = pin {
            let values = PinValues::of(&digits).variables(pin)?;
            commands = context.renderer.operation_in(
                Dialect::VerifyPin,
                pin,
                &values,
                context.variables,
            )?;
        }
    }
    let values = signing_values(rules, message, context.random)
        .ok_or_else(|| unfit("its hash does not fit into its modulus; choose another hash"))?;
    commands.extend(context.renderer.operation_in(
        Dialect::Sign,
        key,
        &values,
        context.variables,
    )?);
    Ok(commands)
}

/// Returns a message in every form that a chip may want to sign it in: `message`, `digest`, and
/// for RSA `digest_info` and the `padded` block. Nothing where a block does not fit.
pub(crate) fn signing_values(
    rules: &KeyRules,
    message: &[u8],
    random: &mut Random,
) -> Option<Vec<(&'static str, Value)>> {
    let digest = rules.hash.digest(message);
    let mut values = vec![
        ("message", Value::bytes(message)),
        ("digest", Value::bytes(digest.as_slice())),
    ];
    if let Some(length) = rules.algorithm.modulus_length() {
        let padded = match rules.padding {
            RsaPadding::Pkcs1 => emsa_pkcs1_v1_5(rules.hash, &digest, length).ok()?,
            RsaPadding::Pss => {
                let mut salt = vec![0; rules.hash.length()];
                random(&mut salt);
                emsa_pss(rules.hash, &digest, &salt, length * 8).ok()?
            }
        };
        let info = digest_info(rules.hash, &digest).ok()?;
        values.push(("digest_info", Value::bytes(info)));
        values.push(("padded", Value::bytes(padded)));
    }
    Some(values)
}

/// Reads the public key that the chip gave.
fn public_key(step: &Step, object: &Object, answers: &Answers) -> Result<PublicKey, Fault> {
    let rules = key_rules(step, object)?;
    let taken = |result: &str| {
        answers.taken.get(result).ok_or_else(|| Fault::NoResult {
            step: step.name(),
            result: result.to_owned(),
        })
    };
    let read = if rules.is_rsa() {
        // F4, where the chip does not say it: no chip's key generation takes another by itself.
        let exponent = answers
            .taken
            .get("exponent")
            .map_or(&[0x01, 0x00, 0x01][..], |exponent| &exponent[..]);
        PublicKey::from_rsa(taken("modulus")?, exponent)
    } else {
        PublicKey::from_point(rules.algorithm, taken("public")?)
    };
    let unusable = |cause: String| Fault::Certificate {
        key: step.object.clone(),
        cause: format!("the chip's public key cannot be used: {cause}"),
    };
    let key = read.map_err(|error| unusable(error.to_string()))?;
    match key.algorithm() == Some(rules.algorithm) {
        true => Ok(key),
        false => Err(unusable(format!("it is no {} key", rules.algorithm.name()))),
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
    let spki = context
        .variables
        .bytes(&format!("key.{name}.spki"))
        .unwrap_or_default();
    let unusable = |cause: String| Fault::Certificate {
        key: name.clone(),
        cause: format!("the chip's public key cannot be used: {cause}"),
    };
    let key = PublicKey::from_spki_der(spki).map_err(|error| unusable(error.to_string()))?;
    let algorithm = key_rules(step, object)?.signature_algorithm();
    RequestInfo::for_key(&subject, &key, algorithm).map_err(|error| unusable(error.to_string()))
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
