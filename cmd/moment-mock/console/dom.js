// Elements, money, calls and forms. Text is never parsed as HTML.

export function el(tag, props, ...children) {
	const e = document.createElement(tag);
	for (const [name, value] of Object.entries(props ?? {})) {
		if (value === undefined || value === false) continue;
		if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
		else if (name === "text") e.textContent = value;
		else if (name === "testid") e.dataset.testid = value;
		else if (name in e) e[name] = value;
		else e.setAttribute(name, value);
	}
	e.append(...children.flat(2).filter(Boolean));
	return e;
}

// Like el, fill leaves out false and empty children.
export const fill = (e, ...children) => e.replaceChildren(...children.flat(2).filter(Boolean));

export const capital = (text) => text[0].toUpperCase() + text.slice(1);

export const singular = (list) => list.replace("_", " ").slice(0, -1);

export const quiet = (text) => el("p", { class: "quiet", text });

export const $ = (id) => document.getElementById(id);

const exponents = new Map();
export async function loadCurrencies() {
	const byExponent = await (await fetch("/_mock/console/currencies.json")).json();
	for (const [exponent, codes] of Object.entries(byExponent)) for (const code of codes.match(/.../g)) exponents.set(code, Number(exponent));
}

// money writes minor units without floats: ZAR 20.00.
export function money(minor, currency) {
	if (minor === undefined || minor === null) return "";
	const exponent = exponents.get(currency);
	if (exponent === undefined) return `${minor} ${currency ?? ""} (minor units)`;
	const digits = String(Math.abs(minor)).padStart(exponent + 1, "0");
	const cut = digits.length - exponent;
	return `${currency} ${minor < 0 ? "-" : ""}${digits.slice(0, cut)}${exponent ? "." + digits.slice(cut) : ""}`;
}

export const decimal = (minor, currency) => (exponents.has(currency) ? money(minor, currency).slice(currency.length + 1) : String(minor));

// minorUnits reads a decimal exactly.
export function minorUnits(text, currency, least = -Infinity) {
	const exponent = exponents.get(currency);
	const parts = /^(-?)(\d{1,12})(?:\.(\d+))?$/.exec(text.trim());
	if (exponent === undefined) throw new Error(`${currency || "The currency"} is not a currency code such as ZAR.`);
	if (!parts || (parts[3] ?? "").length > exponent) throw new Error(`The amount must be a number such as ${decimal(1000, currency)}.`);
	const minor = Number(parts[1] + parts[2] + (parts[3] ?? "").padEnd(exponent, "0")) || 0; // not -0
	if (minor < least) throw new Error(`The amount must be ${money(least, currency)} or more.`);
	return minor;
}

export const key = "sk_test_YOUR_SECRET_KEY";

export const random = () => Math.random().toString(36).slice(2);

const isBilling = (path) => !path.startsWith("/_mock/");

export async function send({ method, path, body }) {
	const headers = {};
	if (body !== undefined) headers["Content-Type"] = "application/json";
	if (isBilling(path)) headers.Authorization = "Bearer " + key;
	if (isBilling(path) && method === "POST") headers["Idempotency-Key"] = random();
	const response = await fetch(path, { method, headers, body: typeof body === "object" ? JSON.stringify(body) : body, cache: "no-store" });
	const text = await response.text();
	let json;
	try { json = JSON.parse(text); } catch { /* a gateway's page, or nothing */ }
	return { ok: response.ok, status: response.status, text, json };
}

export async function load(path) {
	const result = await send({ method: "GET", path });
	if (!result.ok) throw new Error(problem(result));
	return result.json;
}

export const problem = ({ json, status }) => json?.detail?.split(": set any_amount")[0] ?? json?.title ?? `${status} without JSON, as from a gateway: is a fault of Trouble left?`;

const quote = (text) => "'" + text.replaceAll("'", "'\\''") + "'";

export function curl({ method, path, body, headers }) {
	const lines = [`curl ${method === "GET" ? "" : `-X ${method} `}${quote(location.origin + path)}`];
	if (headers) lines.push(...headers.map((h) => "-H " + quote(h)));
	else {
		if (isBilling(path)) lines.push(`-H ${quote("Authorization: Bearer " + key)}`);
		if (isBilling(path) && method === "POST") lines.push('-H "Idempotency-Key: $(date +%s%N)"');
		if (body !== undefined) lines.push("-H 'Content-Type: application/json'");
	}
	if (body !== undefined) lines.push(`-d ${quote(typeof body === "string" ? body : JSON.stringify(body))}`);
	return lines.join(" \\\n  ");
}

export function copyButton(text, label = "Copy", testid) {
	const button = el("button", { type: "button", class: "small", testid, text: label });
	button.addEventListener("click", async () => {
		try {
			await navigator.clipboard.writeText(text());
		} catch { // plain HTTP under a name, or no permission
			const area = el("textarea", { value: text() });
			document.body.append(area);
			area.select();
			document.execCommand("copy");
			area.remove();
			button.focus();
		}
		button.textContent = "Copied";
		setTimeout(() => (button.textContent = label), 1500);
	});
	return button;
}

export function pretty(value) {
	if (typeof value !== "string") return JSON.stringify(value, null, 2) ?? "";
	try { return JSON.stringify(JSON.parse(value), null, 2); } catch { return value; }
}

export const resultLine = (testid = "result") => el("p", { class: "result", role: "status", testid });

// code has a tabIndex because the keyboard scrolls only a focused element.
export const code = (text, label, testid) => el("pre", { tabIndex: 0, role: "group", ariaLabel: label, text, testid });

// calls shows buttons that make one call each. The text of a button returns a sentence about the
// result, and optionally whether it is bad.
export function calls(buttons, done) {
	const output = resultLine();
	const preview = code(curl(buttons[0].call), "The call as curl", "curl");
	const show = (b) => (preview.textContent = curl(b.call));
	const row = el("div", { class: "buttons" }, buttons.map((b) => {
		const button = el("button", { class: b.danger ? "danger" : "", text: b.label, testid: b.testid, onfocus: () => show(b), onmouseenter: () => show(b) });
		button.addEventListener("click", () => {
			show(b);
			if (!b.ask || confirm(b.ask)) run(button, output, b.call, done, b.text);
		});
		return button;
	}));
	return el("div", { class: "calls" }, row, output, asCurl(preview));
}

export const copyable = (preview) => el("div", { class: "curl" }, preview, copyButton(() => preview.textContent));

const asCurl = (preview) => el("details", { open: true }, el("summary", { text: "As curl" }), copyable(preview));

function say(output, text, kind = "") {
	output.className = "result " + kind;
	output.textContent = text;
}

export async function run(button, output, call, done, text) {
	const place = $("object").contains(output) && location.hash;
	button.disabled = true;
	for (const other of document.querySelectorAll(".result")) say(other, ""); // it is about an earlier call
	say(output, "Sending …");
	try {
		const result = await send(call);
		const [said, bad = !result.ok] = result.ok ? [text?.(result) ?? "Done."].flat() : [problem(result)];
		say(output, said, bad ? "bad" : "good");
		if (result.ok) await done?.(result);
		if (!output.isConnected && place === location.hash) $("object-facts")?.after(output); // the form is gone
	} catch (error) {
		say(output, error.message, "bad");
	} finally {
		button.disabled = false;
		// Disabling it removed the focus.
		if (document.activeElement === document.body) (button.isConnected ? button : place === location.hash && $("object").querySelector("h3"))?.focus?.();
	}
}

let fields = 0;

export function form({ prefix, inputs, call, submit, testid, done, text }) {
	const output = resultLine();
	const preview = code("", "The call as curl", "curl");
	const shown = asCurl(preview);
	const button = el("button", { class: "primary", text: submit, testid });
	const labels = Object.entries(inputs).map(([name, i]) => {
		const id = "field-" + ++fields;
		const props = { id, name, testid: prefix + name };
		const control = i.options
			? el("select", props, i.options.map(([value, label]) => el("option", { value, text: label ?? value })))
			: el("input", { ...props, type: i.type ?? "text", autocomplete: "off", placeholder: i.placeholder, required: i.required, inputMode: i.inputMode });
		if (i.value !== undefined) control.value = i.value;
		if (i.hint) control.setAttribute("aria-describedby", id + "-hint");
		return el("div", { class: i.wide ? "field wide" : "field" }, el("label", { htmlFor: id, text: i.label }), control, i.hint && el("span", { id: id + "-hint", class: "quiet", text: i.hint }));
	});
	const values = () => {
		const v = Object.fromEntries(new FormData(e));
		if (v.currency) v.currency = v.currency.trim().toUpperCase();
		return v;
	};
	const show = () => {
		Object.values(inputs).forEach((i, n) => { if (i.when) labels[n].hidden = !i.when(values()); });
		shown.hidden = false;
		try { preview.textContent = curl(call(values())); } catch { shown.hidden = true; }
	};
	const e = el("form", { oninput: show, onsubmit: (event) => {
		event.preventDefault();
		try { run(button, output, call(values()), done, text); } catch (error) { say(output, error.message, "bad"); }
	} }, el("div", { class: "fields" }, labels), button, output, shown);
	show();
	return e;
}

export const local = (at) => new Date(at).toLocaleString();

export const clock = (at) => new Date(at).toTimeString().slice(0, 8) + ((new Date(at) % 1000) / 1000).toFixed(3).slice(1);
