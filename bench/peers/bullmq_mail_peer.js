// BullMQ with Handlebars and nodemailer as a peer at mail.
//
//   node bullmq_mail_peer.js enqueue N   puts N mails into the queue, in batches of 500; prints mails a second
//   node bullmq_mail_peer.js work        one worker process, 64 mails at a time over 32 connections that are kept
//
// PEERS_MAIL is the folder with the mail's parts, its data and the key, PEERS_SINK where it is sent: see `run_mail`.
'use strict';

const { readFileSync } = require('fs');
const { join } = require('path');
const Handlebars = require('handlebars');
const nodemailer = require('nodemailer');
const { enqueue, main, work } = require('./bullmq_peer');

const file = (name) => readFileSync(join(process.env.PEERS_MAIL, name), 'utf8');

async function send() {
  const template = (name, noEscape) => Handlebars.compile(file(name), { noEscape });
  const subject = template('subject', true);
  const text = template('text', true);
  const html = template('html', false);
  const [host, port] = process.env.PEERS_SINK.split(':');
  const transport = nodemailer.createTransport({
    host,
    port: Number(port),
    ignoreTLS: true,
    pool: true,
    maxConnections: 32,
    maxMessages: Infinity,
    dkim: { domainName: 'example.com', keySelector: 'bench', privateKey: file('dkim.pem') },
  });
  await work(async ({ data: { to, booking } }) => {
    await transport.sendMail({
      from: 'Bookings <bookings@example.com>',
      to,
      subject: subject(booking).trim(),
      text: text(booking),
      html: html(booking),
      textEncoding: 'quoted-printable',
    });
  });
}

main({ enqueue: (count) => enqueue(count, 'mail', { booking: JSON.parse(file('sample.json')) }), work: send });
