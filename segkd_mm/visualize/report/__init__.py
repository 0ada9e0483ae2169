"""The HTML report: trainings side by side in one file that needs no network."""

from segkd_mm.visualize.report.writing import write_report

__all__ = ['write_report']
