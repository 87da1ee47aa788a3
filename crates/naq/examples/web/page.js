// What a job says may be anybody's words: it becomes text, never markup.
const part = (id) => document.getElementById(id);
const [upload, make, report, bar, cancel] = ["upload", "make", "report", "bar", "cancel"].map(part);
const AGAIN_MS = 1000;
let events, again;

function show(state, said) {
  report.hidden = false;
  report.dataset.state = state;
  part("said").textContent = said;
  const isOpen = ["waiting", "running", "lost"].includes(state);
  [cancel.hidden, cancel.disabled] = [!isOpen, false];
  make.disabled = isOpen;
}

function leave() {
  events?.close();
  clearTimeout(again);
}

const ends = {
  completed: async (id) => {
    part("file").textContent = await (await fetch(`/reports/${id}/file`)).text();
    part("download").href = `/reports/${id}/file`;
    show("completed", "Done.");
  },
  failed: (_, { error }) => show("failed", `Failed: ${error}`),
  cancelled: () => show("cancelled", "Cancelled."),
};

// From the beginning each time: who comes late, or again, is told what was said before.
function follow(id) {
  leave();
  part("id").textContent = id;
  bar.removeAttribute("value");
  show("waiting", "Waiting for a worker …");
  listen(id);
}

function listen(id) {
  events = new EventSource(`/reports/${id}/events`);
  events.addEventListener("progress", ({ data }) => {
    const { done, total, message } = JSON.parse(data);
    [bar.max, bar.value] = [total || 1, done];
    show("running", `${done} of ${total}: ${message ?? ""}`);
  });
  for (const [name, end] of Object.entries(ends)) {
    events.addEventListener(name, ({ data }) => {
      leave();
      // A bar without a value moves for ever.
      bar.value = name === "completed" ? bar.max : bar.value;
      end(id, JSON.parse(data));
    });
  }
  events.onerror = async () => {
    show("lost", "The connection is lost. Trying again …");
    // The browser connects again by itself, unless it was answered with an error.
    if (events.readyState !== EventSource.CLOSED) return;
    const answer = await fetch(`/reports/${id}`).catch(() => undefined);
    if (answer?.status === 404 || answer?.status === 400) show("missing", "There is no such report.");
    else again = setTimeout(listen, AGAIN_MS, id);
  };
}

upload.onsubmit = async (event) => {
  event.preventDefault();
  make.disabled = true;
  try {
    const answer = await fetch("/reports", { method: "POST", body: part("table").value });
    const { id, error } = await answer.json();
    if (!answer.ok) throw new Error(error);
    // The report has an address of its own: reload it, send it to somebody.
    location.hash = id;
  } catch ({ message }) {
    leave();
    part("id").textContent = "";
    show("refused", `Not taken: ${message}`);
  }
};

cancel.onclick = async () => {
  cancel.disabled = true;
  const answer = await fetch(`/reports/${location.hash.slice(1)}`, { method: "DELETE" }).catch(() => undefined);
  if (!answer?.ok) cancel.disabled = false;
};

window.onhashchange = () => location.hash && follow(location.hash.slice(1));
window.onhashchange();
