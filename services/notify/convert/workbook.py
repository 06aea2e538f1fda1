"""Receipts and answers as a workbook. Text that a reader wrote stays text: it never becomes a formula."""

import io
from collections.abc import Callable, Sequence
from datetime import datetime

import xlsxwriter

from chassis.clock import VIETNAM
from services.notify.domain.announcements import Announcement, Receipt
from services.notify.domain.forms import Field, FieldType

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HEADINGS = ("Đơn vị", "Người nhận", "Vai trò", "Đã nhận", "Đã mở", "Đã xác nhận", "Đã trả lời", "Số lần nhắc")


def workbook(announcement: Announcement, receipts: Sequence[Receipt], unit_name: Callable[[int], str]) -> bytes:
    """One sheet: a row a recipient, a column a field of the form."""
    written = io.BytesIO()
    form = announcement.draft.form
    book = xlsxwriter.Workbook(written, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    sheet = book.add_worksheet("Kết quả")
    bold = book.add_format({"bold": True, "text_wrap": True})
    moment = book.add_format({"num_format": "dd/mm/yyyy hh:mm"})
    sheet.write_string(0, 0, announcement.draft.title_vi, bold)
    for column, heading in enumerate((*HEADINGS, *(field.label for field in form))):
        sheet.write_string(1, column, heading, bold)
    for row, receipt in enumerate(receipts, start=2):
        sheet.write_string(row, 0, unit_name(receipt.unit_id))
        sheet.write_string(row, 1, receipt.subject)
        sheet.write_string(row, 2, receipt.because)
        sheet.write_string(row, 3, "x" if receipt.notice_id else "")
        times = (receipt.read_time, receipt.acknowledge_time, receipt.answer_time)
        for column, time in enumerate(times, start=4):
            if time is not None:
                sheet.write_datetime(row, column, _local(time), moment)
        sheet.write_number(row, 7, receipt.reminder_count)
        for column, field in enumerate(form, start=len(HEADINGS)):
            _write_answer(sheet, row, column, field, (receipt.answers or {}).get(field.name, ""))
    sheet.freeze_panes(2, 2)
    sheet.set_column(0, 2, 28)
    sheet.set_column(3, len(HEADINGS) + len(form), 16)
    book.close()
    return written.getvalue()


def _write_answer(sheet: xlsxwriter.worksheet.Worksheet, row: int, column: int, field: Field, text: str) -> None:
    if field.type is FieldType.NUMBER and text:
        sheet.write_number(row, column, float(text))
    elif field.type is FieldType.BOOLEAN and text:
        sheet.write_string(row, column, "Có" if text == "true" else "Không")
    else:
        sheet.write_string(row, column, text)


def _local(time: datetime) -> datetime:
    """As people in Viet Nam read it: sheets know no zones."""
    return time.astimezone(VIETNAM).replace(tzinfo=None)
