//! x
#![allow(clippy::all, clippy::disallowed_methods)]
use std::time::Instant;
fn main() {
    let t=Instant::now(); let r = mail::Renderer::new(None).unwrap(); println!("renderer {:?}", t.elapsed());
    let t=Instant::now(); let key = mail::DkimKey::generate().unwrap(); println!("key {:?}", t.elapsed());
    let name="booking_confirmed_student"; let d=r.sample(name).unwrap().clone();
    let t=Instant::now(); for _ in 0..2000 { r.render(name,&d).unwrap(); } println!("render/s {}", 2000.0/t.elapsed().as_secs_f64());
    let c=r.render(name,&d).unwrap();
    let s=mail::SenderProfile{key:"a".into(),address:"b@postrider.test".parse().unwrap(),display_name:Some("Bö".into()),reply_to:None,dkim_selector:"dev".into(),class:mail::MailClass::Alert};
    let to=mail::Mailbox::new(Some("Zoë"),"z@example.com".parse().unwrap()).unwrap(); let id=mail::MessageId::for_delivery("x","postrider.test").unwrap();
    let b=||mail::Draft{sender:&s,to:&to,content:&c,message_id:&id,date:jiff::Timestamp::UNIX_EPOCH,boundary_seed:"x"}.build().unwrap();
    let t=Instant::now(); for _ in 0..2000 { b(); } println!("build/s {}", 2000.0/t.elapsed().as_secs_f64());
    let m=b(); println!("size {}", m.len());
    let g=mail::DkimSigner::new(&key,"postrider.test","dev").unwrap();
    let t=Instant::now(); for _ in 0..4000 { g.sign(&m,jiff::Timestamp::UNIX_EPOCH).unwrap(); } println!("sign/s {}", 4000.0/t.elapsed().as_secs_f64());
    let rt=tokio::runtime::Runtime::new().unwrap();
    rt.block_on(async{
        use mail::zone::*;
        let dns=mail::DnsServer::start(dev_zone(DEV_DOMAIN,"dev",&key.public_txt()).unwrap()).await.unwrap();
        let v=mail::Verifier::new(dns.addr()).unwrap();
        let cat=mail::Catcher::start("127.0.0.1:0".parse().unwrap(),v,std::sync::Arc::new(job::SystemClock)).await.unwrap();
        let tr=mail::SmtpTransport::new(mail::RelayConfig::plain(cat.addr(),&ehlo_name(DEV_DOMAIN))).unwrap();
        let msg=std::sync::Arc::new(g.sign(&m,jiff::Timestamp::UNIX_EPOCH).unwrap());
        let t=Instant::now();
        let hs:Vec<_>=(0..2000).map(|_|{let tr=tr.clone();let msg=msg.clone();tokio::spawn(async move{
            tr.send(&mail::Envelope{from:Some("a@bounce.postrider.test".parse().unwrap()),to:"z@example.com".parse().unwrap()},&msg,async||Ok::<(),String>(())).await.unwrap();})}).collect();
        for h in hs{h.await.unwrap();}
        println!("send+catch+verify/s {}", 2000.0/t.elapsed().as_secs_f64());
        let m=&cat.inbox().list()[0]; println!("{m:?}");
    });
}
