"""FormsService: forms listed, read and saved."""

from dataclasses import dataclass
from typing import Any

from iocedu.reporting.v1 import forms_pb2, forms_pb2_grpc

from chassis.database import Database
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from services.reporting.convert.forms import definition_of, form_message, form_of
from services.reporting.domain.catalogue import Catalogue
from services.reporting.servicer.places import UnitsToday
from services.reporting.store import forms
from services.reporting.usecases.forms import check_form, get_form, save_form


@dataclass(frozen=True)
class FormsServicer(forms_pb2_grpc.FormsServiceServicer):
    """Answers iocedu.reporting.v1.FormsService."""

    database: Database
    units: UnitsToday
    catalogue: Catalogue

    async def ListForms(self, request: forms_pb2.ListFormsRequest, _context: Any) -> forms_pb2.ListFormsResponse:
        """The newest version of each form, by code."""
        size, cursor = page_size(request.page_size), page_cursor(request)
        async with self.database.connection() as connection:
            found = await forms.newest_forms(connection, after=str(cursor[0]) if cursor else "", limit=size + 1)
        response = forms_pb2.ListFormsResponse(forms=[form_message(row, whole=False) for row in found[:size]])
        if len(found) > size:
            response.next_page_token = page_token(request, [found[size - 1]["code"]])
        return response

    async def GetForm(self, request: forms_pb2.GetFormRequest, _context: Any) -> forms_pb2.GetFormResponse:
        """A form whole."""
        async with self.database.connection() as connection:
            row = await get_form(connection, request.code, request.version)
        return forms_pb2.GetFormResponse(form=form_message(row))

    async def SaveForm(self, request: forms_pb2.SaveFormRequest, _context: Any) -> forms_pb2.SaveFormResponse:
        """Check a form, and save it as its next version unless only that was asked."""
        form, unit_id = form_of(request.form), self.units.resolve(request.unit)
        check_form(form, self.catalogue)
        if request.validate_only:
            return forms_pb2.SaveFormResponse(form=request.form)
        async with self.database.transaction() as connection:
            row = await save_form(connection, form, definition_of(request.form), unit_id=unit_id, by=caller().subject)
        return forms_pb2.SaveFormResponse(form=form_message(row))
