// The mailbox works without this file. It adds: the list keeps itself up to date, messages open without a page load,
// j and k walk through them, times are local, and a button copies.
'use strict';

const byId = (id) => document.getElementById(id);
let tag = null;

const localTimes = (root) => {
  const today = new Date().toDateString();
  for (const time of root.querySelectorAll('time[datetime]')) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const clock = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
    const day = at.toLocaleDateString([], { day: 'numeric', month: 'short' });
    time.textContent = time.dataset.long !== undefined
      ? at.toLocaleString([], { dateStyle: 'full', timeStyle: 'long' })
      : at.toDateString() === today ? clock : `${day}, ${clock}`;
    time.title = time.dateTime;
  }
};

const load = async (url) => {
  const answer = await fetch(url, { cache: 'no-store' });
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  return page.getElementById('list') ? page : null;
};

const replace = (id, page) => {
  const fresh = page.getElementById(id);
  byId(id).replaceChildren(...fresh.childNodes);
  localTimes(byId(id));
};

const showList = (page) => {
  const focused = document.activeElement?.closest?.('#list a')?.getAttribute('href');
  replace('list', page);
  byId('count').textContent = page.getElementById('count').textContent;
  if (focused) [...byId('list').querySelectorAll('a')].find((a) => a.getAttribute('href') === focused)?.focus();
};

const open = async (url, push) => {
  const page = await load(url).catch(() => null);
  if (!page) { location.assign(url); return; }
  if (push) history.pushState(null, '', url);
  showList(page);
  replace('message', page);
  document.body.className = page.body.className;
  document.title = page.title;
  byId('message').scrollTop = 0;
};

document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href^="/mailbox?"], a[href="/mailbox"]');
  if (link && event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey) {
    event.preventDefault();
    open(link.getAttribute('href'), true);
  }
  const copy = event.target.closest?.('.copy');
  if (copy) {
    navigator.clipboard?.writeText(byId('first-command').textContent).then(() => {
      copy.textContent = 'Copied';
      setTimeout(() => { copy.textContent = 'Copy'; }, 1500);
    }, () => {});
  }
});

addEventListener('popstate', () => open(location.pathname + location.search, false));

addEventListener('keydown', (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey) return;
  const step = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
  const inList = document.activeElement?.closest?.('#list');
  if (!step || (event.key.startsWith('Arrow') && !inList)) return;
  const items = [...byId('list').querySelectorAll('.item')];
  const at = items.findIndex((item) => item.hasAttribute('aria-current'));
  const next = items[at < 0 ? 0 : at + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
  open(next.getAttribute('href'), true);
});

// What is new is asked for once a second, while somebody looks.
const refresh = async () => {
  if (document.hidden) return;
  const answer = await fetch('/mailbox/messages', { headers: tag ? { 'If-None-Match': tag } : {}, cache: 'no-store' });
  if (answer.status !== 200) return;
  const first = tag === null;
  tag = answer.headers.get('etag');
  if (first && Number(byId('count').dataset.mails) === (await answer.json()).length) return;
  const page = await load(location.pathname + location.search);
  if (!page) return;
  showList(page);
  // What is being read stays as it is; an empty or unopened page follows the newest.
  if (!new URLSearchParams(location.search).has('message')) {
    replace('message', page);
    document.body.className = page.body.className;
  }
};

localTimes(document);
setInterval(() => refresh().catch(() => {}), 1000);
addEventListener('visibilitychange', () => refresh().catch(() => {}));
