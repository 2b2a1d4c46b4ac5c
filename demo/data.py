# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.
"""The invented customers of the example company, and what they say.

Any likeness to a real company or person is by chance: the names are drawn from
lists, and so are the numbers."""

import random

from stdnum.co import nit

# City, code of the subdivision, code of the fixed telephones
CITIES = [
    ("Bogotá", 'CO-DC', '601'),
    ("Bogotá", 'CO-DC', '601'),
    ("Bogotá", 'CO-DC', '601'),
    ("Chía", 'CO-CUN', '601'),
    ("Soacha", 'CO-CUN', '601'),
    ("Tunja", 'CO-BOY', '608'),
    ("Ibagué", 'CO-TOL', '608'),
    ("Medellín", 'CO-ANT', '604'),
    ("Medellín", 'CO-ANT', '604'),
    ("Envigado", 'CO-ANT', '604'),
    ("Rionegro", 'CO-ANT', '604'),
    ("Manizales", 'CO-CAL', '606'),
    ("Pereira", 'CO-RIS', '606'),
    ("Cali", 'CO-VAC', '602'),
    ]
NAMES = [
    "Andina", "Altavista", "Bachué", "Caribe", "Cordillera", "El Cóndor",
    "El Dorado", "El Nogal", "Guatavita", "La Ceiba", "La Esperanza",
    "La Sabana", "Las Acacias", "Los Andes", "Los Cerezos", "Macarena",
    "Magdalena", "Monserrate", "Nueva Granada", "Occidente", "Oriente",
    "Páramo", "Quimbaya", "San Agustín", "San José", "Santa Lucía",
    "Sumapaz", "Tayrona", "Tequendama", "Zipa"]
# By XML id of the business unit, the kinds of customers that it calls
KINDS = {
    'business_unit_optics': [
        "Óptica", "Centro Visual", "Clínica de Ojos", "Visión"],
    'business_unit_brigade': [
        "Colegio", "Constructora", "Cooperativa", "Fundación", "Flores",
        "Textiles", "Transportes"],
    'business_unit_equipment': [
        "Clínica", "Hospital", "Instituto Oftalmológico", "IPS"],
    }
FORMS = ["S.A.S.", "S.A.S.", "Ltda.", "S.A.", ""]
FIRST_NAMES = [
    "Adriana", "Alejandro", "Andrés", "Ángela", "Beatriz", "Camilo",
    "Carolina", "Claudia", "Daniel", "Diana", "Eduardo", "Felipe", "Gloria",
    "Hernán", "Iván", "Jorge", "Juliana", "Laura", "Liliana", "Luis",
    "Marcela", "Mauricio", "Mónica", "Natalia", "Óscar", "Patricia",
    "Ricardo", "Sandra", "Sebastián", "Yolanda"]
LAST_NAMES = [
    "Acosta", "Ávila", "Bernal", "Cárdenas", "Castro", "Díaz", "Fonseca",
    "Forero", "Gómez", "Gutiérrez", "Ibáñez", "Jiménez", "León", "López",
    "Martínez", "Muñoz", "Niño", "Ortiz", "Peña", "Quintero", "Ramírez",
    "Restrepo", "Rojas", "Ruiz", "Suárez", "Torres", "Uribe", "Vargas",
    "Zapata", "Zuluaga"]
JOB_TITLES = [
    "Administradora", "Asistente de gerencia", "Directora médica", "Gerente",
    "Jefe de compras", "Jefe de talento humano", "Optómetra", "Propietario",
    "Secretaria"]

# What was said, by level of interest
SAID = {
    '0': [
        "No contestó.", "Timbra y pasa a buzón de voz.",
        "Línea ocupada, se intentó dos veces.", "No contestó en recepción."],
    '1': [
        "Ya tiene proveedor y no piensa cambiarlo.",
        "No está interesado, pide no insistir este año.",
        "Dice que el presupuesto está cerrado.",
        "La persona encargada ya no trabaja allí, no hay interés."],
    '2': [
        "Pide que se le envíe la lista de precios por correo.",
        "Quiere consultarlo con su socio.",
        "Pregunta por tiempos de entrega y garantía.",
        "Interesada, pero hasta el próximo trimestre.",
        "Pide el portafolio y referencias de otros clientes."],
    '3': [
        "Muy interesado, pide cotización formal.",
        "Quiere agendar una visita de demostración.",
        "Acepta la propuesta, falta la orden de compra.",
        "Pide condiciones de pago a 60 días para cerrar."],
    }
NEXT = {
    '0': ["Volver a intentar", "Llamar en la tarde"],
    '1': ["Retomar el contacto"],
    '2': ["Confirmar que recibió la información", "Resolver sus dudas"],
    '3': ["Hacer seguimiento a la cotización", "Cerrar la venta"],
    }
TASKS = [
    "Enviar el portafolio", "Enviar la cotización",
    "Preparar la visita de demostración", "Enviar la lista de precios"]
COMMON_TASK = "Enviar la nueva lista de precios"
MEETINGS = [
    "Visita de demostración", "Presentación de la nueva línea",
    "Reunión para cerrar el pedido"]
MINUTES = [
    "Quedan en revisar la oferta con su socio.",
    "Piden muestras antes de decidir.",
    "De acuerdo con los precios, falta la fecha de entrega."]
AGENDA = "Muestras\nPrecios y descuentos\nFechas de entrega"
# The meetings without customer: what for, where and what about
TEAM_MEETING = (
    "Reunión semanal del equipo", "Sala de juntas",
    "Resultados de la semana\nSeguimientos atrasados\nMetas")
TEAM_MINUTES = [
    "Se repasaron los atrasados, Paola se encarga de los de la Sabana.",
    "La meta del mes va al 80 %, se refuerza la campaña de equipos."]
TRAINING = (
    "Capacitación en los nuevos equipos", "Bodega de Fontibón",
    "Manejo de la biseladora\nPreguntas de los clientes")
# Why customers call and what they say
CALLED = [
    ("Pregunta por su pedido", "Quiere saber cuándo le llega el pedido."),
    ("Pide precios", "Pide la lista de precios por correo."),
    ("Pregunta por la garantía", "Se le explicó cómo enviar la montura."),
    ("Quiere una visita", "Pide que lo visiten la próxima semana.")]
GENERAL = [
    "Pedir cotización de los folletos", "Confirmar el stand en la feria",
    "Averiguar el horario de la transportadora"]
# What customers were promised today, with the hours until it is due
PROMISES = [
    ("Salió de la reunión, llamar en media hora", .5),
    ("Llamar cuando vuelva el encargado de compras", 2),
    ("Confirmar que recibió la cotización", 5)]
# The campaign: the results of its calls with their weight and what is said
CAMPAIGN = "Equipos para ópticas"
SCRIPT = """Buenos días, le habla … de Visión Andina.
¿Hablo con quien decide la compra de los equipos?
Este mes tenemos un plan de renovación del tallado con entrega en una semana.
¿Le envío la propuesta o prefiere que un asesor lo visite?"""
RESULTS = {
    'no_answer': (30, []),
    'busy': (8, []),
    'wrong_number': (4, ["El número es de una casa de familia."]),
    'call_back': (16, [
            "Está atendiendo un paciente, pide que lo llamen luego.",
            "Decide el socio, que vuelve la otra semana."]),
    'sent': (16, [
            "Pide la propuesta por correo.",
            "Quiere ver el catálogo antes de decidir."]),
    'not_interested': (12, [
            "Renovó los equipos el año pasado.",
            "Manda a tallar por fuera."]),
    'sold': (10, [
            "Se lleva la biseladora con el plan de renovación.",
            "Acepta la propuesta, hay que enviar el contrato."]),
    'do_not_call': (4, ["Pide que no lo llamen más."]),
    }
# Title, XML id of the type and priority
INCIDENTS = [
    ("Factura duplicada", 'task_type_billing', 'medium'),
    ("El pedido llegó incompleto", 'task_type_delivery', 'high'),
    ("Monturas con defecto de fábrica", 'task_type_product', 'high'),
    ("El NIT de la factura no corresponde", 'task_type_data', 'low')]


class Contacts:
    "Draw contacts, always the same ones in the same order"

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.names = set()

    def draw(self, business_unit):
        "Return a new contact as a dictionary"
        choice = self.random.choice
        while True:
            # The legal form does not make it another one
            name = f'{choice(KINDS[business_unit])} {choice(NAMES)}'
            if name not in self.names:
                self.names.add(name)
                break
        city, subdivision, area = choice(CITIES)
        first, last = choice(FIRST_NAMES), choice(LAST_NAMES)
        number = f'{self.random.randrange(800_000_000, 902_000_000)}'
        # As people write them: each in an own manner
        fixed = self.digits(7)
        mobile = f'3{choice(["00", "10", "12", "15", "20"])}{self.digits(7)}'
        domain = ''.join(c for c in _ascii(name).lower() if c.isalnum())
        return {
            'name': f'{name} {choice(FORMS)}'.strip(),
            'identifier': f'{number}-{nit.calc_check_digit(number)}',
            'street': (
                f'{choice(["Calle", "Carrera"])} '
                f'{self.random.randrange(1, 170)} # '
                f'{self.random.randrange(1, 99)}-'
                f'{self.random.randrange(1, 99):02}'),
            'city': city,
            'subdivision': subdivision,
            'phone': choice([
                    f'({area}) {fixed[:3]} {fixed[3:]}', f'{area}{fixed}']),
            'mobile': choice([
                    mobile, f'+57 {mobile}',
                    f'{mobile[:3]} {mobile[3:6]} {mobile[6:]}']),
            'email': f'info@{domain}.example.com',
            'contact': f'{first} {last}',
            'job_title': choice(JOB_TITLES),
            }

    def digits(self, size):
        return ''.join(
            [str(self.random.randrange(2, 9))]
            + [str(self.random.randrange(10)) for _ in range(size - 1)])


def _ascii(text):
    return text.translate(str.maketrans("áéíóúñÁÉÍÓÚÑ", "aeiounAEIOUN"))
