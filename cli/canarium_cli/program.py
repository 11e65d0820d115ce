"""How the program is called."""

PROGRAM = "kubectl modeldeploy"
#: The variable in which click's own scripts ask for candidates.
VARIABLE = "_KUBECTL_MODELDEPLOY_COMPLETE"
