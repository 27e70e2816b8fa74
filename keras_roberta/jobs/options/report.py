"""What exported models are compared on."""

import dataclasses

from keras_roberta.jobs.options.tables import TableColumns
from keras_roberta.options import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportOptions(TableColumns):
    """Of `keras_roberta.jobs.report.report_on_table` and `keras-roberta report`."""

    threads: int = option(1, "For TFLite.", at_least=1)
