// The agents' page does everything without this module. With it: the task is held while the page is open, the call's clock runs,
// and keys work: 1 to 9 choose an outcome, s starts the call, e ends it, n takes the next one.

const call = document.querySelector("main.call");

function typing(target) {
  return target.matches("textarea, select, input:not([type=radio])");
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const choices = document.querySelectorAll("input[name=outcome]");
  const chosen = choices[Number(event.key) - 1];
  if (chosen) {
    chosen.checked = true;
    chosen.focus();
    event.preventDefault();
    return;
  }
  const button = event.key === "n" ? document.querySelector("[data-next]") : document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (button) {
    event.preventDefault();
    button.click();
  }
}

function clock(began) {
  const shown = document.getElementById("clock");
  const from = Date.now() - began * 1000;
  const tick = () => {
    const seconds = Math.floor((Date.now() - from) / 1000);
    shown.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  };
  shown.hidden = false;
  tick();
  setInterval(tick, 1000);
}

async function hold() {
  const said = document.getElementById("gone");
  try {
    const answer = await fetch("/agent/call/heartbeat", { method: "POST", headers: { "x-csrf-token": call.dataset.csrf } });
    if (answer.status === 409 || answer.status === 410) {
      said.textContent = (await answer.json()).message;
      said.hidden = false;
      clearInterval(holding);
    } else if (answer.ok && (await answer.json()).withdrawn) {
      said.hidden = false;
    }
  } catch {
    // the line is down: the next beat tries again, and the lease lasts much longer
  }
}

document.documentElement.classList.add("keys");
document.addEventListener("keydown", keys);
let holding;
if (call) {
  holding = setInterval(hold, 20_000);
  if (call.dataset.began) clock(Number(call.dataset.began));
}
