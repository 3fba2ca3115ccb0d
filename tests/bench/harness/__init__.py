# SPDX-License-Identifier: BSL-1.0
#
# The parts of bench.py: known servers, one measured run, interleaved rounds, and the report.
