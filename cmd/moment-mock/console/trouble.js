import { $, el, fill, load, code, copyable, curl, calls, form, resultLine, run, local } from "./dom.js";

const operations = [...["customer", "account", "bill", "payment request"].flatMap((o) => ["create", "get", "update"].map((verb) => verb + " " + o)), "void bill", "get payment"];

// As in docs/testing.md.
const faults = {
	status: "A gateway fails, nothing runs",
	rate_limit: "Too many requests (429), nothing runs",
	service_error: "Moment fails, and saves its response",
	drop_before_commit: "The connection ends, nothing runs",
	drop_after_commit: "The operation runs, then the connection ends",
	truncate: "The operation runs, half the response arrives",
	delay: "The operation runs after a delay",
};

const withStatus = (v) => v.fault === "status" || v.fault === "service_error";

function faultCall(v) {
	const body = { fault: v.fault };
	if (v.fault === "rate_limit") Object.assign(body, { fault: "status", status: 429, retry_after: v.retryAfter || undefined });
	if (withStatus(v)) Object.assign(body, { status: Number(v.status), retry_after: v.retryAfter || undefined });
	if (v.fault === "delay") body.delay = v.delay;
	if (v.on) body.on = v.on;
	if (Number(v.times) !== 1) body.times = Number(v.times);
	return { method: "POST", path: "/_mock/faults", body };
}

function faultForm(refresh) {
	return form({
		prefix: "fault-", inputs: {
			fault: { label: "What happens", options: Object.entries(faults), wide: true },
			on: { label: "To", options: [["", "any request"], ...operations.map((o) => [o])] },
			times: { label: "Times", type: "number", value: "1" },
			status: { label: "Response status", type: "number", value: "503", when: withStatus },
			retryAfter: { label: "Ask to wait (Retry-After)", placeholder: "30s", when: (v) => withStatus(v) || v.fault === "rate_limit" },
			delay: { label: "Delay", value: "5s", when: (v) => v.fault === "delay" },
		},
		call: faultCall, submit: "Add the fault", testid: "add-fault", done: refresh, text: () => "Added: see Faults to come.",
	});
}

export async function refresh() {
	const [left, now] = await Promise.all([load("/_mock/faults"), load("/_mock/clock")]);
	const all = left.faults;
	$("trouble-count").textContent = all.length ? ` (${all.length})` : "";
	fill($("faults-left"), all.length ? all.map((f) => el("li", { testid: "fault-left", text: describe(f) })) : el("li", { class: "quiet", text: "None." }));
	$("now").textContent = local(now.now);
}

export const faultName = (f) => faults[f.status === 429 ? "rate_limit" : f.fault];

const describe = (f) => [faultName(f), f.status, f.delay, f.retry_after && `Retry-After ${f.retry_after}`, "to " + ([f.on ?? []].flat().join(" or ") || "any request"), `${f.times ?? 1} left`].filter(Boolean).join(" · ");

function card(name, ...content) {
	return el("div", { class: "card" }, el("h3", { text: name }), ...content);
}

export function start(changed) {
	const after = async () => { await refresh(); changed(); };
	const advance = (label, d) => ({ label, testid: "advance-" + d, text: () => "The clock is moved.", call: { method: "PUT", path: "/_mock/clock", body: { advance: d } } });
	const file = el("input", { type: "file", id: "import", accept: ".json" });
	const imported = resultLine("import-result");
	file.addEventListener("change", async () => {
		const call = { method: "PUT", path: "/_mock/state", body: await file.files[0].text() };
		await run(file, imported, call, changed, () => "Imported.");
		file.value = "";
	});
	$("trouble-cards").append(
		card("Make requests fail", faultForm(after)),
		card("Faults to come", el("ul", { id: "faults-left" }), calls([{ label: "Remove all faults", testid: "clear-faults", text: () => "All are removed.", call: { method: "DELETE", path: "/_mock/faults" } }], after)),
		card("Clock", el("p", {}, "It is ", el("strong", { id: "now" }), " in moment-mock. Events that become due are delivered at once."),
			calls([advance("5 seconds later", "5s"), advance("5 minutes later", "5m"), advance("A day later", "24h"), advance("30 days later", "720h")], after)),
		card("Data", el("p", { text: "A reset restores the seed and the clock, and removes everything else." }),
			calls([{ label: "Reset", ask: "Remove all other data?", danger: true, testid: "reset", text: () => "Back to the seed.", call: { method: "DELETE", path: "/_mock/state" } }], after),
			el("h4", { text: "Export" }), el("p", {}, el("a", { class: "button", href: "/_mock/state", download: "moment-mock.json", text: "Download the data", testid: "export" })),
			copyable(code(curl({ method: "GET", path: "/_mock/state" }) + " > moment-mock.json", "The export as curl")),
			el("h4", {}, el("label", { htmlFor: "import", text: "Import, which replaces all data" })), file, imported,
			copyable(code(curl({ method: "PUT", path: "/_mock/state", body: "@moment-mock.json" }), "The import as curl"))));
}
