//! What a client does on the wire that no well-behaved one does: bodies that come byte by byte or
//! never, and a certificate whose time is over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509NameBuilder, X509ReqBuilder};
use pki::HostName;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::house::{House, wide, with_one_server};
use crate::{Limits, Server, router, serve, tls};

/// Reads what is answered on a connection until it ends.
async fn answered(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A connection that is cut off may have been answered before.
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn a_body_that_comes_byte_by_byte_is_cut_off() {
    let limits = Limits {
        body_time: Duration::from_millis(400),
        ..wide()
    };
    with_one_server(
        "people::scenarios::wire::a_body_that_comes_byte_by_byte_is_cut_off",
        limits,
        async |house| {
            let stream = TcpStream::connect(house.address).await.unwrap();
            let (mut read, mut write) = stream.into_split();
            let head = format!(
                "POST /v1/accounts HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n",
                house.token("administrator")
            );
            write.write_all(head.as_bytes()).await.unwrap();
            let begun = Instant::now();
            let dripping = tokio::spawn(async move {
                let mut ticks = tokio::time::interval(Duration::from_millis(20));
                // It goes on as long as the server lets it.
                while write.write_all(b" ").await.is_ok() {
                    ticks.tick().await;
                }
            });
            let mut text = vec![0; 4096];
            let many = read.read(&mut text).await.unwrap();
            let text = String::from_utf8_lossy(&text[..many]).into_owned();
            assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
            assert!(text.to_lowercase().contains("retry-after:"), "{text}");
            let took = begun.elapsed();
            assert!(took >= Duration::from_millis(400), "{took:?}");
            assert!(took < Duration::from_secs(20), "{took:?}");
            dripping.abort();
        },
    );
}

#[test]
fn a_body_that_is_announced_where_none_is_taken_is_not_waited_for() {
    with_one_server(
        "people::scenarios::wire::a_body_that_is_announced_where_none_is_taken_is_not_waited_for",
        wide(),
        async |house| {
            for announced in ["Content-Length: 7", "Transfer-Encoding: chunked"] {
                let mut stream = TcpStream::connect(house.address).await.unwrap();
                let head = format!(
                    "POST /v1/accounts/keeper/unlock HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\n{announced}\r\nConnection: close\r\n\r\n",
                    house.token("administrator")
                );
                stream.write_all(head.as_bytes()).await.unwrap();
                let begun = Instant::now();
                let text = answered(&mut stream).await;
                assert!(text.starts_with("HTTP/1.1 400 "), "{announced}: {text}");
                assert!(text.contains("takes no body"), "{text}");
                // Sooner than any body would have been waited for.
                assert!(begun.elapsed() < Limits::default().body_time);
            }
        },
    );
}

pub(super) fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// Makes a certification request (*RFC 2986*), by openssl.
pub(super) fn request(key: &PKey<Private>, name: &str) -> Vec<u8> {
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let mut request = X509ReqBuilder::new().unwrap();
    request.set_version(0).unwrap();
    request.set_subject_name(&subject.build()).unwrap();
    request.set_pubkey(key).unwrap();
    request.sign(key, MessageDigest::sha256()).unwrap();
    request.build().to_der().unwrap()
}

/// Returns a client that shows this certificate.
fn showing(certificate: Vec<u8>, key: &PKey<Private>, authority: Vec<u8>) -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(authority)).unwrap();
    let own = PrivateKeyDer::try_from(key.private_key_to_pkcs8().unwrap()).unwrap();
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![CertificateDer::from(certificate)], own)
        .unwrap();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        // Each request shows the certificate anew.
        .pool_max_idle_per_host(0)
        .build()
        .unwrap()
}

#[test]
fn a_certificate_whose_time_is_over_is_refused() {
    with_one_server(
        "people::scenarios::wire::a_certificate_whose_time_is_over_is_refused",
        wide(),
        async |house| {
            let central = &house.central;
            let actor = |person: &str| api::Actor {
                station: "console".into(),
                person: person.into(),
            };
            let own = key();
            let asked = central
                .ask_station(
                    &actor("administrator"),
                    "riga-1",
                    None,
                    &request(&own, "riga-1"),
                )
                .await
                .unwrap();
            let given = central
                .confirm_station(&actor("officer"), "riga-1", &asked)
                .await
                .unwrap();
            let served = key();
            let hosts = vec![HostName::Address("127.0.0.1".parse().unwrap())];
            let certificate = central
                .pilot_server_certificate(&request(&served, "zimogs server"), hosts)
                .await
                .unwrap();
            let chain = X509::from_der(&certificate).unwrap().to_pem().unwrap();
            let secret = served.private_key_to_pem_pkcs8().unwrap();
            let hints = vec![central.station_authority_name().await.unwrap()];
            let tls = tls(&chain, &secret, hints).unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = Server::new(central.clone(), wide());
            let (stop, stopped) = oneshot::channel::<()>();
            let routes = router(server.clone());
            let stopped = async { drop(stopped.await) };
            let serving = tokio::spawn(serve(listener, tls, server, routes, stopped));

            let client = showing(given.certificate, &own, given.authority);
            let ask = async || {
                let url = format!("https://{address}/v1/station/self");
                let answer = client.get(url).send().await.unwrap();
                let status = answer.status().as_u16();
                let text = answer.text().await.unwrap();
                (status, serde_json::from_str::<Value>(&text).unwrap())
            };
            let (status, known) = ask().await;
            assert_eq!((status, &known["name"]), (200, &"riga-1".into()), "{known}");
            let refused = async |house: &House| {
                let entries = house.entries().await;
                let turned = |entry: &&audit::Entry| entry.action.as_str() == "station.turned-away";
                entries.iter().filter(turned).count()
            };
            assert_eq!(refused(&house).await, 0);

            house.clock.shift(60 * 60 * 24 * 731);
            let (status, problem) = ask().await;
            assert_eq!(status, 403, "{problem}");
            let kind = problem["type"].as_str().unwrap();
            assert!(kind.ends_with("/certificate"), "{problem}");
            assert!(
                problem["detail"].as_str().unwrap().contains("expired"),
                "{problem}"
            );
            assert_eq!(refused(&house).await, 1, "it stands in the log");

            drop(stop);
            serving.await.unwrap().unwrap();
        },
    );
}
