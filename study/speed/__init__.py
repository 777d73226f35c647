"""What a step of training costs, and how much of it a machine can be asked for.

`study.speed.steps`    the steps that are timed: the field's plain one, and each method's
`study.speed.parts`    SCN's step without what makes it fast, one part after the other
`study.speed.limits`   convolutions alone, beside the processor's measured rate
`study.speed.figure`   the table as a picture
`study.speed.on_gpu`   all in one go on a borrowed GPU: kernels by time, the table, a run in slices;
                       with `carried` (what goes there and back) and `gpu_tables`
"""
