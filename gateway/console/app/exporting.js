// A button that has a file made as a job: its progress, a way to cancel it, and the file once it is there.

import { ask, requestId, unitPath } from "./api.js";
import { h, replace } from "./elements.js";
import { download } from "./files.js";
import { number } from "./format.js";
import { language } from "./texts.js";

const POLL_MS = 700;
const TEXTS = {
  vi: {
    exporting: "Đang xuất {a}/{b}…",
    failed: "Xuất tệp không thành công: {n}",
    cancelled: "Đã hủy việc xuất tệp.",
    cancel: "Hủy xuất",
    failures: {
      NO_GRANT: "Người yêu cầu hoặc người phê duyệt không còn quyền tại đơn vị này.",
      EXPORT_TOO_LARGE: "Tệp quá lớn (trên 15 MB): hãy chọn ít cột, ít đơn vị hơn, hoặc CSV.",
      EXPORT_FAILED: "Lập tệp bị gián đoạn nhiều lần. Hãy thử lại; nếu vẫn lỗi, báo bộ phận vận hành.",
    },
  },
  en: {
    exporting: "Exporting {a} of {b}…",
    failed: "The export failed: {n}",
    cancelled: "The export was cancelled.",
    cancel: "Cancel export",
    failures: {
      NO_GRANT: "Whoever asked or approved may not do so at this unit any more.",
      EXPORT_TOO_LARGE: "The file is too large (over 15 MB): choose fewer columns or units, or CSV.",
      EXPORT_FAILED: "Making the file was cut several times. Try again; if it fails still, tell operations.",
    },
  },
};
const said = (key, values = {}) =>
  Object.entries(values).reduce((text, [name, value]) => text.replace(`{${name}}`, value), TEXTS[language()][key]);

// Why a file was not made, in words; a reason that has none stands for itself.
export const failureOf = (reason) => TEXTS[language()].failures[reason] ?? reason;

// `begin(request_id)` answers the export as it begins on the unit.
export function exportButton(unit, label, begin) {
  const place = h("span", { class: "actions" });
  const idle = (text = "") =>
    replace(
      place,
      h("button", { type: "button", onclick: start }, label),
      text ? h("span", { class: "muted", role: "status" }, text) : "",
    );
  idle();

  async function start() {
    try {
      const begun = await begin(requestId());
      await follow(unitPath(unit.id, `/exports/${begun.export_id}`));
    } catch (error) {
      idle(error.message);
    }
  }

  async function follow(path) {
    const text = h("span", { class: "muted", role: "status" });
    const cancel = () => ask(`${path}:cancel`, { method: "POST", body: {} }).catch((error) => idle(error.message));
    replace(place, text, h("button", { type: "button", onclick: cancel }, said("cancel")));
    for (;;) {
      const { export: now } = await ask(path);
      if (now.state === "EXPORT_STATE_DONE") {
        await download(`${path}:download`, {}, now.file_name);
        return idle(now.file_name);
      }
      if (now.state === "EXPORT_STATE_CANCELLED") return idle(said("cancelled"));
      if (now.state !== "EXPORT_STATE_RUNNING") return idle(said("failed", { n: failureOf(now.failure) }));
      replace(text, said("exporting", { a: number(now.done_count ?? 0), b: number(now.total_count ?? 0) }));
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  return place;
}
