import { $, capital, singular, el, fill as put, load, money, curl, copyButton, copyable, pretty, code, calls, clock, key } from "./dom.js";
import { faultName } from "./trouble.js";

const limit = 1000; // rows that are kept
const longest = 16 << 10; // of a body that is kept

const rows = new Map(); // by their key, the oldest first
let lastRequest = 0;
let lastEvent = 0;
let run;
let paused = false;
let forgotten = 0; // how often the rows were removed
const pending = new Map(); // requests without a response yet, and since when

const cut = (text) => (text && text.length > longest ? text.slice(0, longest) + "\n… (cut)" : text ?? "");

function parse(text) {
	try { return JSON.parse(text); } catch { return undefined; }
}

const amount = (o) => money(o.amount_due ?? o.amount ?? o.balance, o.currency);

const nouns = ["customers", "accounts", "bills", "payment_requests", "payments"];
const names = new Map(); // external references by their id

function operation({ method, path }) {
	const [, , noun, id, action] = path.split("?")[0].split("/");
	const verb = action ?? { POST: "create", GET: "get", PATCH: "update" }[method];
	return nouns.includes(noun) && verb ? capital(`${verb} ${singular(noun)} `) : "";
}

function remember({ id, external_reference: reference }) {
	if (!id || !reference) return;
	if (names.size > 5 * limit) names.clear();
	names.set(id, reference);
}

function requestRow(r) {
	const o = parse(r.response) ?? {};
	const failed = r.status === 0 || r.status >= 400;
	remember(o);
	const open = o.status === "unpaid" || o.status === "active";
	return {
		key: "r" + r.id, kind: "request", at: r.at, data: { ...r, body: cut(r.body), response: cut(r.response) }, detail: requestDetail,
		what: operation(r) + (o.external_reference ?? parse(r.body)?.external_reference ?? ""), code: r.status || "no response", good: !failed,
		note: [r.fault && "fault: " + faultName(r.fault), failed ? o.detail ?? o.title : amount(o), `${r.method} ${r.path}`].filter(Boolean).join(" · "),
		pay: !failed && r.method !== "GET" && open && o.id, left: o.amount_remaining, pays: !open && o.status && o.id, status: o.status,
	};
}

const part = (name, text, testid) => [el("h3", { text: name }), text && code(text, name, testid)];

function requestDetail({ data: r }) {
	const headers = Object.entries(r.headers ?? {}).map(([name, values]) => `${name}: ${values.join(", ")}`);
	const sent = headers.filter((h) => /^(Authorization|Content-Type|Idempotency-Key):/.test(h)).map((h) => h.replace("[secret key]", "Bearer " + key));
	const call = { method: r.method, path: r.path, headers: sent, body: r.body || undefined };
	return [
		el("div", { class: "buttons" }, copyButton(() => curl(call), "Copy as curl", "copy-curl")),
		part("Request headers", headers.join("\n")),
		r.body && part("Request body", pretty(r.body)),
		part(r.status ? `Response, ${r.status}` : "No response", pretty(r.response ?? ""), "response"),
	];
}

// paymentOf returns the payment that an event reports, once for each payment.
function paymentOf(m) {
	const { type, data } = m.event ?? {};
	if (!data || !["obligation.amount_applied", "payment.succeeded", "payment.failed"].includes(type)) return undefined;
	const to = data.bill_id ?? data.account_id ?? data.customer_id ?? data.external_reference ?? "";
	return { id: data.payment_id ?? data.id, to, failed: type === "payment.failed", data };
}

const toWhom = ({ to }) => to && "to " + (names.get(to) ?? to);

function paymentRow(m) {
	const p = paymentOf(m);
	if (!p) return undefined;
	return {
		key: "p" + m.message_id, kind: "payment", at: m.created_at, data: p, what: amount(p.data) + (p.failed ? " declined" : " paid"),
		note: [toWhom(p), p.id].filter(Boolean).join(" · "), code: p.failed ? "declined" : "paid", good: !p.failed, pays: p.data.bill_id, amount: p.data.amount,
		detail: () => part("Payment", pretty(p.data)),
	};
}

const acknowledged = (a) => a.status >= 200 && a.status < 300;

function deliveryRow(e) {
	const { data } = e.event ?? {};
	const p = paymentOf(e);
	const next = e.next_attempt_at && `next attempt at ${clock(e.next_attempt_at).slice(0, 8)}`;
	const note = [
		p ? `${amount(data)} ${toWhom(p)}` : data?.external_reference,
		e.attempts && `${e.attempts} attempt${e.attempts > 1 ? "s" : ""}`, e.error, next,
	];
	return {
		key: "d" + e.message_id, kind: "delivery", at: e.created_at, data: e, what: e.type || "event", note: note.filter(Boolean).join(" · "),
		code: e.attempts ? e.status || "no response" : "not sent", good: acknowledged(e), waits: !e.attempts, pays: data?.status === "paid" && data.id, send: e.attempts ? "Resend" : "Deliver", detail: deliveryDetail,
	};
}

const loadAttempts = async (e) => (await load("/_mock/events/" + e.message_id)).attempts.map(attemptItem);

function deliveryDetail({ data: e }) {
	const button = (label, testid, body, what, why) => ({ label, testid, text: ({ json }) => {
		const made = json.attempts.slice(-(body.times ?? 1));
		const accepts = acknowledged(made[0]);
		const said = made[0].error ? `Your endpoint did not respond: ${made[0].error}.` : `Your endpoint responded ${made.map((a) => a.status).join(" and ")}.`;
		return what ? [`${said} It ${accepts ? "accepts" : "does not accept"} ${what}${accepts ? why : ""}.`, accepts] : [said, !made.every(acknowledged)];
	}, call: { method: "POST", path: `/_mock/events/${e.message_id}/deliver`, body } });
	const attempts = el("ol", { class: "attempts", testid: "attempts" });
	loadAttempts(e).then((items) => put(attempts, items), () => {});
	return [
		calls([
			button("Send", "resend", {}),
			button("Send twice", "send-twice", { times: 2 }),
			button("With the old secret", "old-secret", { secret: "previous" }, "the old secret", ": right only during a rotation"),
			button("With an old timestamp", "old-timestamp", { age: "10m" }, "an event of 10 minutes ago", ": a replay attack would succeed"),
		], () => poll(true)),
		el("h3", { text: "Attempts" }), attempts,
		part("Event", `webhook-id: ${e.message_id}\n\n${pretty(e.event)}`),
	];
}

function attemptItem(a) {
	return el("li", {},
		el("span", { class: "code " + (acknowledged(a) ? "good" : "bad"), text: a.status || "no response" }),
		` ${clock(a.sent_at ?? a.at).slice(0, 8)}${a.resent ? ", resent" : ""}${a.other_secret ? " with the old secret" : ""}${a.sent_at ? " with the timestamp " + clock(a.at).slice(0, 8) : ""}, to ${a.url}${a.error ? ": " + a.error : ""}`,
		a.response && code(pretty(a.response), "Response of the endpoint", "endpoint-response"));
}

function matches(row) {
	const kind = $("live-kind").value;
	const text = $("live-filter").value.trim().toLowerCase();
	return (!kind || row.kind === kind) && (!text || `${row.what} ${row.note} ${row.code}`.toLowerCase().includes(text));
}

function render(row) {
	const button = el("button", { class: "line", ariaExpanded: "false", onclick: () => toggle(row) });
	row.li = el("li", { class: "row " + row.kind, testid: "row-" + row.kind }, button);
	fill(row);
	return row.li;
}

function fill(row) {
	put(row.li.firstChild,
		el("time", { dateTime: row.at, text: clock(row.at) }),
		el("span", { class: "kind", text: capital(row.kind) }),
		el("span", { class: "code " + (row.waits ? "waits" : row.good ? "good" : "bad"), text: row.code }),
		el("span", { class: "what", text: row.what }),
		el("span", { class: "note", text: row.note }));
	if (!row.button && (row.pay || row.send)) row.li.firstChild.after(row.button = row.pay ? el("a", { class: "button small", href: "/_pay/" + row.pay, target: "_blank", text: "Pay", ariaLabel: `Pay ${names.get(row.pay) ?? row.pay} as your customer, in a new tab`, testid: "pay-link" }) : el("button", { class: "button small", testid: "row-send", onclick: () => {
		if (row.li.firstChild.ariaExpanded !== "true") toggle(row);
		row.li.querySelector(".buttons > *").click();
	} }));
	if (row.send) Object.assign(row.button, { textContent: row.send, ariaLabel: row.send + " " + row.note });
	row.li.hidden = !matches(row);
}

function toggle(row) {
	const open = row.li.firstChild.ariaExpanded !== "true";
	row.li.firstChild.ariaExpanded = String(open);
	row.li.querySelector(":scope > .detail")?.remove();
	if (open) row.li.append(el("div", { class: "detail", testid: "detail" }, row.detail(row)));
}

// In an open delivery, update changes only the attempts, because its buttons keep the focus and
// their result.
function update(old, row) {
	Object.assign(old, row);
	fill(old);
	const detail = old.li.querySelector(":scope > .detail");
	const attempts = detail?.querySelector(".attempts");
	if (detail && old.kind === "request") put(detail, old.detail(old));
	if (attempts) loadAttempts(old.data).then((items) => put(attempts, items), () => {});
}

function add(found) {
	const fresh = [];
	for (const row of found) {
		const old = rows.get(row.key);
		if (old) update(old, row);
		else fresh.push(row);
	}
	fresh.sort((a, b) => new Date(a.at) - new Date(b.at));
	const list = $("rows");
	for (const row of fresh.slice(-limit)) {
		rows.set(row.key, row);
		list.prepend(render(row));
		for (const bill of row.pays ? rows.values() : []) if (bill.pay === row.pays && !((bill.left -= row.amount) > 0)) {
			bill.button.textContent = capital(row.status ?? "paid");
			bill.button.ariaLabel = null;
		}
	}
	for (const [key, row] of rows) {
		if (rows.size <= limit) break;
		row.li.remove();
		rows.delete(key);
		$("live-limit").hidden = false;
	}
	$("live-empty").hidden = rows.size > 0;
	showNone();
}

const showNone = () => ($("live-none").hidden = !rows.size || $("rows").querySelector(".row:not([hidden])"));

export async function poll(force) {
	if (paused && !force) return true; // the ledger goes on
	const before = forgotten;
	const after = Math.min(lastRequest, ...[...pending.keys()].map((id) => id - 1));
	const [requests, events] = await Promise.all([
		load(`/_mock/requests?limit=${limit}&after=${after}`), load(`/_mock/events?limit=${limit}&after=${lastEvent}`),
	]);
	if (before !== forgotten) return true;
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

export function forget(now) {
	forgotten++;
	run = now;
	rows.clear();
	$("rows").replaceChildren();
	$("live-empty").hidden = false;
	$("live-limit").hidden = true;
	pending.clear();
	[lastRequest, lastEvent] = JSON.parse(sessionStorage[run] ?? "[0, 0]");
}

export function start() {
	const filter = () => { for (const row of rows.values()) row.li.hidden = !matches(row); showNone(); };
	$("live-kind").addEventListener("change", filter);
	$("live-filter").addEventListener("input", filter);
	$("live-pause").addEventListener("click", () => {
		paused = !paused;
		$("live-pause").ariaPressed = String(paused);
		$("live-pause").textContent = paused ? "Resume" : "Pause";
	});
	$("live-clear").addEventListener("click", () => {
		sessionStorage[run] = JSON.stringify([lastRequest, lastEvent]);
		forget(run);
	});
	const example = { method: "POST", path: "/billing/bills", body: {
		customer: { external_reference: "UCR1234567890", name: "John Doe" },
		external_reference: "UBR1234567890", currency: "ZAR", amount_due: 2000,
	} };
	$("live-example").append(copyable(code(curl(example).replaceAll("1234567890", "'$(date +%s)'"), "A command that raises a bill", "example")));
}
