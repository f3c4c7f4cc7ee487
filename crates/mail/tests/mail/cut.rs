//! A relay that is cut off at each byte of what it says, and of what it hears, or that speaks in letters of its own: the
//! sender never takes a mail for sent that was not, nor for lost that may have arrived.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mail::{Accepted, RelayConfig, SendError, SendPhase, SmtpTransport};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::lab;

const REPLIES: [&str; 6] = [
    "220 relay.test ESMTP\r\n",
    "250-relay.test\r\n250 ENHANCEDSTATUSCODES\r\n",
    "250 2.1.0 ok\r\n",
    "250 2.1.5 ok\r\n",
    "354 go\r\n",
    "250 2.0.0 taken\r\n",
];

/// Says its replies, one after each thing that it hears, until it has said `most` bytes; then it goes away. Answers
/// whether it has heard the whole mail.
async fn relay(stream: TcpStream, most: usize) -> bool {
    let mut stream = BufReader::new(stream);
    let (mut left, mut heard, mut line) = (most, false, Vec::new());
    for (n, reply) in REPLIES.into_iter().enumerate() {
        if n == 5 {
            loop {
                line.clear();
                if stream.read_until(b'\n', &mut line).await.unwrap_or(0) == 0 {
                    return heard;
                }
                if line == b".\r\n" {
                    heard = true;
                    break;
                }
            }
        } else if n > 0 {
            line.clear();
            if stream.read_until(b'\n', &mut line).await.unwrap_or(0) == 0 {
                return heard;
            }
        }
        let now = reply.len().min(left);
        if stream.write_all(&reply.as_bytes()[..now]).await.is_err() {
            return heard;
        }
        left -= now;
        if now < reply.len() {
            return heard;
        }
    }
    // The goodbye is not answered.
    let _ = stream.read_to_end(&mut line).await;
    heard
}

/// Sends one mail to a relay that says so many bytes; what came of it, whether the mark was made, and whether it was heard.
async fn send(most: usize) -> (Result<Accepted, SendError>, bool, bool) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { relay(listener.accept().await.unwrap().0, most).await });
    let marked = AtomicBool::new(false);
    let hook = async || {
        marked.store(true, Ordering::Relaxed);
        lab::yes().await
    };
    let transport = SmtpTransport::new(RelayConfig::plain(addr, "mail.postrider.test")).unwrap();
    let ended = transport.send(&lab::envelope(), &lab::signed(), hook).await;
    transport.close_idle().await;
    (ended, marked.into_inner(), serving.await.unwrap())
}

#[tokio::test]
async fn cut_off_at_each_byte_that_it_says() {
    let all: usize = REPLIES.iter().map(|reply| reply.len()).sum();
    let before_the_answer = all - REPLIES[5].len();
    for most in 0..=all {
        let (ended, marked, heard) = send(most).await;
        assert_eq!(marked, most >= before_the_answer, "at {most}: the mark is made after the whole 354");
        match ended {
            Ok(_) => assert!(most == all && heard, "at {most}: taken for sent"),
            Err(e) if most < before_the_answer => {
                assert!(
                    e.is_transient() && !e.is_uncertain() && e.phase <= SendPhase::Data && !heard,
                    "at {most}: {e}"
                );
            }
            Err(e) => assert!(most < all && e.is_uncertain(), "at {most}: {e:?}"),
        }
    }
}

#[tokio::test]
async fn cut_off_at_each_byte_that_it_hears() {
    let message = lab::signed();
    let heard = Arc::new(AtomicUsize::new(0));
    // Every byte of the dialogue, and each two-hundredth of the mail itself.
    let dialogue = 120;
    let points = (0..dialogue).chain((dialogue..dialogue + message.len()).step_by(200));
    for most in points {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let count = Arc::clone(&heard);
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.write_all(REPLIES[0].as_bytes()).await;
            let (mut left, mut line, mut said, mut byte) = (most, Vec::new(), 1, [0_u8]);
            while left > 0 && stream.read_exact(&mut byte).await.is_ok() {
                left -= 1;
                line.push(byte[0]);
                if line.ends_with(b"\r\n.\r\n") {
                    count.fetch_add(1, Ordering::Relaxed);
                    let _ = stream.write_all(REPLIES[5].as_bytes()).await;
                } else if said < 5 && line.ends_with(b"\r\n") {
                    let _ = stream.write_all(REPLIES[said].as_bytes()).await;
                    said += 1;
                    line.clear();
                }
            }
        });
        let transport = SmtpTransport::new(RelayConfig::plain(addr, "mail.postrider.test")).unwrap();
        let ended = transport.send(&lab::envelope(), &message, lab::yes).await;
        drop(transport);
        serving.await.unwrap();
        let e = ended.expect_err("the mail was not heard to its end");
        assert!(!e.is_permanent(), "at {most}: {e}");
        assert_eq!(e.is_uncertain(), e.phase == SendPhase::Dot, "at {most}: {e:?}");
    }
    assert_eq!(heard.load(Ordering::Relaxed), 0);
}

/// A relay that says these replies, one after each line that it hears, and after the mail; a byte at a time.
async fn says(replies: [&'static [u8]; 6]) -> Result<Accepted, SendError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let mut stream = BufReader::new(listener.accept().await.unwrap().0);
        let mut line = Vec::new();
        for (n, reply) in replies.into_iter().enumerate() {
            if n > 0 {
                loop {
                    line.clear();
                    if stream.read_until(b'\n', &mut line).await.unwrap_or(0) == 0 {
                        return;
                    }
                    if n < 5 || line == b".\r\n" {
                        break;
                    }
                }
            }
            for byte in reply {
                let _ = stream.write_all(&[*byte]).await;
                let _ = stream.flush().await;
            }
        }
        let _ = stream.read_to_end(&mut line).await;
    });
    let transport = SmtpTransport::new(RelayConfig::plain(addr, "mail.postrider.test")).unwrap();
    let ended = transport.send(&lab::envelope(), &lab::signed(), lab::yes).await;
    transport.close_idle().await;
    serving.await.unwrap();
    ended
}

#[tokio::test]
async fn what_is_said_in_other_letters_is_understood_by_its_code() {
    let usual: [&[u8]; 6] = REPLIES.map(str::as_bytes);
    let mut latin = usual;
    (latin[0], latin[5]) = (b"220 gr\xfc\xdf Gott\r\n", b"250 2.0.0 \xfcbernommen\r\n");
    let taken = says(latin).await.unwrap();
    assert_eq!((taken.code, taken.enhanced.as_deref(), taken.text.as_str()), (250, Some("2.0.0"), "?bernommen"));

    let mut refused = usual;
    refused[3] = b"550 5.1.1 \xce\xc4 \xff\xfe unbekannt\r\n";
    let error = says(refused).await.unwrap_err();
    assert!(error.is_permanent() && error.phase == SendPhase::Rcpt, "{error:?}");
    assert_eq!((error.code, error.enhanced.as_deref()), (Some(550), Some("5.1.1")));

    let mut proper = usual;
    proper[5] = "250 2.0.0 übernommen\r\n".as_bytes();
    assert_eq!(says(proper).await.unwrap().code, 250);
}
