// The timeline: requests, payments and deliveries, the newest first.

import { $, el, fill as put, load, money, curl, copyButton, copyable, pretty, code, calls, send, clock } from "./dom.js";

const limit = 1000; // rows that are kept
const longest = 16 << 10; // of a body that is kept

const rows = new Map(); // by their key, the oldest first
let lastRequest = 0;
let lastEvent = 0;
let paused = false;
const pending = new Map(); // requests without a response, which they may still get, and since when

const cut = (text) => (text && text.length > longest ? text.slice(0, longest) + "\n… (cut by this page)" : text ?? "");

function parse(text) {
	try { return JSON.parse(text); } catch { return undefined; }
}

// amount is the money in an object of the API.
const amount = (o) => money(o.amount_due ?? o.amount ?? o.balance, o.currency);

const nouns = { customers: "customer", accounts: "account", bills: "bill", payment_requests: "payment request", payments: "payment" };
const names = new Map(); // external references by their id

// operation says what a request is for: Create bill.
function operation({ method, path }) {
	const [, , noun, id, action] = path.split("?")[0].split("/");
	const verb = action ?? { POST: "create", GET: "get", PATCH: "update" }[method];
	return nouns[noun] && verb ? `${verb[0].toUpperCase()}${verb.slice(1)} ${nouns[noun]} ` : "";
}

function remember({ id, external_reference: reference }) {
	if (!id || !reference) return;
	if (names.size > 5 * limit) names.clear();
	names.set(id, reference);
}

const payLink = (id, name) => el("a", { class: "button small", href: "/_pay/" + id, target: "_blank", rel: "noopener", text: "Pay", ariaLabel: `Pay ${name ?? id} as your customer, in a new tab`, testid: "pay-link" });

function requestRow(r) {
	const o = parse(r.response) ?? {};
	const failed = r.status === 0 || r.status >= 400;
	remember(o);
	return {
		key: "r" + r.id, kind: "request", at: r.at, data: { ...r, body: cut(r.body), response: cut(r.response) }, detail: requestDetail,
		what: operation(r) + (o.external_reference ?? ""), code: r.status || "no response", good: !failed,
		note: [failed ? o.detail ?? o.title : amount(o), `${r.method} ${r.path}`].filter(Boolean).join(" · "),
		pay: !failed && r.method !== "GET" && (o.status === "unpaid" || o.status === "active") && o.id, name: o.external_reference,
	};
}

function requestDetail({ data: r }) {
	const headers = Object.fromEntries(Object.entries(r.headers ?? {}).map(([name, values]) => [name, [values].flat().join(", ")]));
	const sent = Object.fromEntries(Object.entries(headers).filter(([name]) => !/^(accept-encoding|connection|content-length|host|user-agent|sec-.*|origin|referer)$/i.test(name)));
	if (sent.Authorization) sent.Authorization = "Bearer sk_test_YOUR_SECRET_KEY"; // the mock shows no key
	const call = { method: r.method, path: r.path, headers: sent, body: r.body || undefined };
	return [
		el("div", { class: "buttons" }, copyButton(() => curl(call), "Copy as curl", "copy-curl")),
		el("h3", { text: "Request headers" }),
		code(Object.entries(headers).map(([name, value]) => `${name}: ${value}`).join("\n"), "Request headers"),
		r.body && el("h3", { text: "Request body" }), r.body && code(pretty(r.body), "Request body"),
		el("h3", { text: r.status ? `Response, ${r.status}` : "No response" }),
		r.response && code(pretty(r.response), "Response", "response"),
	];
}

// paymentOf returns the payment that an event reports, if it is the one that ends the payment.
function paymentOf(m) {
	const { type, data } = m.event ?? {};
	if (!data || !["obligation.amount_applied", "payment.succeeded", "payment.failed"].includes(type)) return undefined;
	const to = data.bill_id ?? data.account_id ?? data.customer_id ?? data.external_reference ?? "";
	return { id: data.payment_id ?? data.id, to, failed: type === "payment.failed", data };
}

function paymentRow(m) {
	const p = paymentOf(m);
	if (!p) return undefined;
	return {
		key: "p" + m.message_id, kind: "payment", at: m.created_at, data: p, what: amount(p.data) + (p.failed ? " declined" : " paid"),
		note: [p.to && "to " + (names.get(p.to) ?? p.to), p.id].filter(Boolean).join(" · "), code: p.failed ? "declined" : "paid", good: !p.failed,
		detail: () => [el("h3", { text: "Payment" }), code(pretty(p.data), "Payment")],
	};
}

const acknowledged = (a) => a.status >= 200 && a.status < 300;

function deliveryRow(e) {
	const next = e.next_attempt_at && `next attempt at ${clock(e.next_attempt_at).slice(0, 8)}`;
	const note = e.attempts ? [`attempt ${e.attempts}`, e.error, next] : [next ?? "not sent: held back, or there is no endpoint"];
	return {
		key: "d" + e.message_id, kind: "delivery", at: e.created_at, data: e, what: e.type || "event", note: note.filter(Boolean).join(" · "),
		code: e.attempts ? e.status || "no response" : "not sent", good: e.attempts === 0 || acknowledged(e), detail: deliveryDetail,
	};
}

const loadAttempts = async (e) => (await load("/_mock/events/" + e.message_id)).attempts.map(attemptItem);

function deliveryDetail({ data: e }) {
	const result = ({ json }) => {
		const last = json.attempts.at(-1);
		return last.status ? `Your endpoint responded ${last.status}.` : `Your endpoint did not respond: ${last.error}.`;
	};
	const button = (label, testid, body) => ({ label, testid, text: result, call: { method: "POST", path: `/_mock/events/${e.message_id}/deliver`, body } });
	const attempts = el("ol", { class: "attempts", testid: "attempts" });
	loadAttempts(e).then((items) => put(attempts, items), () => {});
	return [
		calls([
			button("Resend", "resend", {}),
			button("Send twice", "send-twice", { times: 2 }),
			button("With the old secret", "old-secret", { secret: "previous" }),
			button("With an old timestamp", "old-timestamp", { age: "10m" }),
		], () => poll(true)),
		el("h3", { text: "Attempts" }), attempts,
		el("h3", { text: "Event" }), code(`webhook-id: ${e.message_id}\n\n${pretty(e.event)}`, "Event"),
	];
}

function attemptItem(a) {
	return el("li", {},
		el("span", { class: "code " + (acknowledged(a) ? "good" : "bad"), text: a.status || "no response" }),
		` ${clock(a.at).slice(0, 8)}${a.resent ? ", resent" : ""}, to ${a.url}${a.error ? ": " + a.error : ""}`,
		a.response && code(pretty(a.response), "Response of the endpoint", "endpoint-response"));
}

function matches(row) {
	const kind = $("live-kind").value;
	const text = $("live-filter").value.trim().toLowerCase();
	return (!kind || row.kind === kind) && (!text || `${row.what} ${row.note} ${row.code}`.toLowerCase().includes(text));
}

function render(row) {
	const button = el("button", { type: "button", class: "line", ariaExpanded: "false", onclick: () => toggle(row) });
	row.li = el("li", { class: "row " + row.kind, testid: "row-" + row.kind }, button);
	fill(row);
	return row.li;
}

function fill(row) {
	put(row.li.firstChild,
		el("time", { dateTime: row.at, text: clock(row.at) }),
		el("span", { class: "kind", text: row.kind[0].toUpperCase() + row.kind.slice(1) }),
		el("span", { class: "what", text: row.what }),
		el("span", { class: "note", text: row.note }),
		el("span", { class: "code " + (row.good ? "good" : "bad"), text: row.code }));
	row.li.querySelector(":scope > .button")?.remove();
	if (row.pay) row.li.firstChild.after(payLink(row.pay, row.name));
	row.li.hidden = !matches(row);
}

function toggle(row) {
	const open = row.li.firstChild.ariaExpanded !== "true";
	row.li.firstChild.ariaExpanded = String(open);
	row.li.querySelector(":scope > .detail")?.remove();
	if (open) row.li.append(el("div", { class: "detail", testid: "detail" }, row.detail(row)));
}

// update replaces what a row shows. Of an open delivery, only the attempts change, so that the
// buttons keep the focus and their result.
function update(old, row) {
	Object.assign(old, row);
	fill(old);
	const attempts = old.li.querySelector(".attempts");
	if (attempts) loadAttempts(old.data).then((items) => put(attempts, items), () => {});
}

function add(found) {
	const fresh = [];
	for (const row of found) {
		const old = rows.get(row.key);
		if (old) update(old, row);
		else fresh.push(row);
	}
	fresh.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
	const list = $("rows");
	for (const row of fresh.slice(-limit)) {
		rows.set(row.key, row);
		list.prepend(render(row));
	}
	for (const [key, row] of rows) {
		if (rows.size <= limit) break;
		row.li.remove();
		rows.delete(key);
		$("live-limit").hidden = false;
	}
	$("live-empty").hidden = rows.size > 0;
}

export async function poll(force) {
	if (paused && !force) return false;
	const after = Math.min(lastRequest, ...[...pending.keys()].map((id) => id - 1));
	const [requests, events] = await Promise.all([
		load(`/_mock/requests?limit=${limit}&after=${after}`), load(`/_mock/events?limit=${limit}&after=${lastEvent}`),
	]);
	lastEvent = events.revision;
	for (const r of requests.requests) {
		lastRequest = Math.max(lastRequest, r.id);
		if (r.status) pending.delete(r.id);
		else if (!pending.has(r.id)) pending.set(r.id, Date.now());
	}
	for (const [id, since] of pending) if (Date.now() > since + 60000) pending.delete(id);
	const found = [];
	for (const r of requests.requests) found.push(requestRow(r));
	for (const e of events.events) found.push(paymentRow(e), deliveryRow(e));
	add(found.filter(Boolean));
	return requests.requests.length > pending.size || events.events.length > 0;
}

export function forget() {
	rows.clear();
	$("rows").replaceChildren();
	$("live-empty").hidden = false;
	$("live-limit").hidden = true;
	pending.clear();
	lastRequest = lastEvent = 0;
}

export function start() {
	const filter = () => { for (const row of rows.values()) row.li.hidden = !matches(row); };
	$("live-kind").addEventListener("change", filter);
	$("live-filter").addEventListener("input", filter);
	$("live-pause").addEventListener("click", () => {
		paused = !paused;
		$("live-pause").ariaPressed = String(paused);
		$("live-pause").textContent = paused ? "Resume" : "Pause";
	});
	$("live-clear").addEventListener("click", async () => {
		await send({ method: "DELETE", path: "/_mock/requests" });
		const events = lastEvent;
		forget();
		lastEvent = events;
	});
	const example = { method: "POST", path: "/billing/bills", body: {
		customer: { external_reference: "UCR1234567890", name: "John Doe" },
		external_reference: "UBR1234567890", currency: "ZAR", amount_due: 2000,
	} };
	$("live-example").append(copyable(code(curl(example), "A command that raises a bill", "example")));
}
