// What a program does with Resend's SDK. The base URL and the key come from the environment, as the SDK reads them.
import assert from "node:assert/strict";
import { Resend } from "resend";

const resend = new Resend();
const base = process.env.RESEND_BASE_URL;
const from = "Acme <hello@postrider.test>";

async function ok(answer) {
  const { data, error } = await answer;
  assert.equal(error, null, JSON.stringify(error));
  return data;
}

async function until(what, look) {
  for (let i = 0; i < 100; i++) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`in vain: ${what}`);
}

// One mail, with everything.
const sent = await ok(
  resend.emails.send(
    {
      from,
      to: ["Ana <ana@people.example>"],
      cc: "ben@people.example",
      replyTo: "support@people.example",
      subject: "Grüße ✉",
      html: '<p>Hello <b>Ana</b></p><img src="cid:dot">',
      headers: { "X-Order": "17" },
      tags: [{ name: "flow", value: "welcome" }],
      attachments: [
        { filename: "a.txt", content: Buffer.from("hello") },
        { filename: "dot.png", content: Buffer.from("89504e47", "hex").toString("base64"), contentId: "dot" },
      ],
    },
    { idempotencyKey: "welcome-1" },
  ),
);
const again = await ok(
  resend.emails.send({ from, to: "ana@people.example", subject: "x", text: "x" }, { idempotencyKey: "other-1" }),
);
assert.notEqual(again.id, sent.id);

const email = await until("it to be sent", async () => {
  const email = await ok(resend.emails.get(sent.id));
  return email.last_event === "sent" && email;
});
assert.equal(email.object, "email");
assert.equal(email.subject, "Grüße ✉");
assert.deepEqual(email.cc, ["ben@people.example"]);

// The same key with another payload.
const conflict = await resend.emails.send({ from, to: "x@people.example", subject: "y", text: "y" }, { idempotencyKey: "welcome-1" });
assert.equal(conflict.error.statusCode, 409);
assert.equal(conflict.error.name, "invalid_idempotent_request");

// A batch, one of them for later, which is called off.
const batch = await ok(
  resend.batch.send([
    { from, to: "b1@people.example", subject: "1", text: "1" },
    { from, to: "b2@people.example", subject: "2", text: "2", scheduledAt: "in 1 hour" },
  ]),
);
assert.equal(batch.data.length, 2);
const later = batch.data[1].id;
assert.equal((await ok(resend.emails.get(later))).last_event, "scheduled");
assert.deepEqual(await ok(resend.emails.cancel(later)), { object: "email", id: later });
assert.equal((await ok(resend.emails.get(later))).last_event, "canceled");

// Refusals, in its own words.
const refused = await resend.emails.send({ from: "who@else.example", to: "ana@people.example", subject: "x", text: "x" });
assert.equal(refused.error.name, "validation_error");
assert.match(refused.error.message, /from/);
const nobody = await new Resend("nothing").emails.get(sent.id);
assert.equal(nobody.error.name, "invalid_api_key");
assert.equal((await resend.emails.get("00000000-0000-0000-0000-000000000000")).error.name, "not_found");

// What arrived.
let mails = [];
for (const end = Date.now() + 60_000; mails.length < 4 && Date.now() < end; await new Promise((on) => setTimeout(on, 50)))
  mails = await (await fetch(`${base}/mailbox/messages`)).json();
const to = mails.map((mail) => mail.to).sort();
assert.deepEqual(to, ["ana@people.example", "ana@people.example", "b1@people.example", "ben@people.example"]);
for (const mail of mails) assert.deepEqual([mail.spf, mail.dkim, mail.dmarc], ["pass", "pass", "pass"]);
const raw = await (await fetch(`${base}/mailbox/messages/${mails.find((m) => m.subject.startsWith("Gr")).id}/raw`)).text();
assert.match(raw, /X-Order: 17/);
assert.match(raw, /Reply-To: .*support@people\.example/);
assert.match(raw, /filename="a\.txt"/);
console.log(`resend's SDK is answered as it expects: ${mails.length} mails arrived`);
